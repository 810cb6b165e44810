import type { Clock } from '../../src/clock/clock.ts';
import type { Scheduler } from './scheduler.ts';

/** 2026-01-01, so that a record's time can be read. */
const WALL_BASE_MS = 1_767_225_600_000;

/** A machine: its clocks run at a rate of their own, and its wall clock may be stepped. Processes on it share them. */
export class SimHost {
  readonly name: string;
  readonly rate: number;
  wallOffsetMs: number;
  readonly #scheduler: Scheduler;
  readonly #bootOffsetMs: number;

  constructor(
    scheduler: Scheduler,
    options: { readonly name: string; readonly rate: number; readonly wallOffsetMs: number },
  ) {
    this.#scheduler = scheduler;
    this.name = options.name;
    this.rate = options.rate;
    this.wallOffsetMs = options.wallOffsetMs;
    this.#bootOffsetMs = Math.floor(scheduler.random.between(1e5, 1e8));
  }

  wallMs(): number {
    return Math.floor(WALL_BASE_MS + this.#scheduler.now * this.rate + this.wallOffsetMs);
  }

  /** In steps of 10 ms, as /proc/uptime has it. */
  bootMs(): number {
    return Math.floor((this.#bootOffsetMs + this.#scheduler.now * this.rate) / 10) * 10;
  }

  monotonicMs(): number {
    return this.#bootOffsetMs / 2 + this.#scheduler.now * this.rate;
  }
}

/**
 * A process: what reaches it runs at once, waits while it is paused (its clocks and the world go on), and is lost when it
 * is dead. After a pause everything that waited comes one by one, timers and messages in the order of their time, or timers first.
 */
export class SimProcess {
  readonly name: string;
  readonly host: SimHost;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  state: 'running' | 'paused' | 'dead' = 'running';
  /** Takes back what sleeps have asked of their signals. */
  readonly listening = new Set<() => void>();
  /** How long it was paused so far, by its host's clock. */
  pausedMs = 0;
  #pausedAt = 0;
  /** Acted on right after this process has sent its n-th request to etcd from now. */
  interrupt: { afterRequests: number; readonly act: () => void } | undefined;
  #held: { readonly timer: boolean; readonly label: string; readonly run: () => void }[] = [];

  constructor(scheduler: Scheduler, host: SimHost, name: string) {
    this.scheduler = scheduler;
    this.host = host;
    this.name = name;
    scheduler.onEnd.push(() => this.kill());
    this.clock = clockOf(this);
  }

  get alive(): boolean {
    return this.state !== 'dead';
  }

  deliver(label: string, run: () => void, timer = false): void {
    if (this.state === 'running') run();
    else if (this.state === 'paused') this.#held.push({ timer, label, run });
  }

  /** Milliseconds of this host's clock. */
  timer(ms: number, run: () => void, label = ''): () => void {
    return this.scheduler.after(ms / this.host.rate, label, () => this.deliver(label, run, true));
  }

  /** A request to etcd has just left. */
  sent(): void {
    const { interrupt } = this;
    if (interrupt === undefined) return;
    interrupt.afterRequests -= 1;
    if (interrupt.afterRequests > 0) return;
    this.interrupt = undefined;
    interrupt.act();
  }

  pause(): void {
    if (this.state !== 'running') return;
    this.state = 'paused';
    this.#pausedAt = this.host.monotonicMs();
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    this.pausedMs += this.host.monotonicMs() - this.#pausedAt;
    const held = this.#held;
    this.#held = [];
    const timersFirst = this.scheduler.random.chance(0.5);
    const ordered = timersFirst
      ? [...held.filter(({ timer }) => timer), ...held.filter(({ timer }) => !timer)]
      : held;
    for (const { label, run, timer } of ordered)
      this.scheduler.after(0, label, () => this.deliver(label, run, timer));
  }

  kill(): void {
    this.state = 'dead';
    this.#held = [];
    // Node keeps a combined signal for as long as somebody listens to it.
    for (const unlisten of this.listening) unlisten();
    this.listening.clear();
  }
}

function clockOf(process: SimProcess): Clock {
  const { scheduler, host } = process;
  return {
    process: process.name,
    monotonicMs: () => host.monotonicMs(),
    wallMs: () => host.wallMs(),
    bootMs: () => host.bootMs(),
    sleep(ms, signal) {
      if (signal?.aborted === true || ms <= 0) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      if (signal === undefined) {
        process.timer(ms, resolve);
        return promise;
      }
      const unlisten = () => signal.removeEventListener('abort', onAbort);
      const wake = () => {
        unlisten();
        process.listening.delete(unlisten);
        resolve();
      };
      const cancel = process.timer(ms, wake);
      const onAbort = () => {
        cancel();
        wake();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      process.listening.add(unlisten);
      return promise;
    },
    after: (ms, call) => process.timer(ms, call),
    uuid: () => {
      const hex = scheduler.random.hex(32);
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
        '-',
      );
    },
    hex: (bytes) => scheduler.random.hex(bytes * 2),
  };
}
