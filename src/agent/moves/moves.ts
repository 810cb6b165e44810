import type { EstateView, EstateWatch } from '../../controlplane/estate-watch.ts';
import { messageOf } from '../../domain/errors.ts';
import type { MemberContext } from '../context.ts';
import type { MemberPostgres } from '../member-postgres.ts';
import { Arrival } from './arrival.ts';
import { CommitMeter } from './commit-meter.ts';
import type { MoveGround } from './ground.ts';
import { HostGauge } from './host-gauge.ts';
import { SLOT_TIMEOUT_MS, SlotMaker } from './slot-maker.ts';
import { StreamMover, type Standing } from './stream-mover.ts';
import type { StreamTools } from './stream-state.ts';
import { RequestedSweep } from './requested-sweep.ts';
import { sweep, sweepReports } from './sweeper.ts';

const SWEEP_EVERY_MS = 2_000;
/** A person waits for the answer; looking costs nothing. */
const REQUEST_EVERY_MS = 250;
const STATEMENT_TIMEOUT_MS = 15_000;
const MEASURE_TIMEOUT_MS = 1_000;
const ARRIVAL_TIMEOUT_MS = 3_000;

export interface MovesOptions {
  readonly context: MemberContext;
  readonly watch: EstateWatch;
  readonly postgres: Pick<MemberPostgres, 'session'>;
  readonly ground: MoveGround;
  readonly leaseLeftMs: () => number | null;
}

/**
 * The Postgres side of rebalancing (src/controlplane/rebalance/SPEC.md): a mover for each stream that names this cluster, each
 * with a loop and sessions of its own, so that a long step of one holds up no other; and a sweeper for what belongs to none.
 */
export class Moves {
  readonly #options: MovesOptions;
  readonly #running = new Map<string, Promise<void>>();
  readonly #host: HostGauge;
  readonly #commits: CommitMeter;

  constructor(options: MovesOptions) {
    const { context, postgres, ground } = options;
    this.#options = options;
    const waiting = { waits: true, timeoutMs: MEASURE_TIMEOUT_MS };
    this.#commits = new CommitMeter(
      postgres.session('move commit time', 'superuser', waiting),
      context.clock,
    );
    this.#host = new HostGauge(ground, this.#commits, context.clock);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { watch } = this.#options;
    const stop = watch.onChange((view) => this.#begin(view, signal));
    this.#begin(watch.current(), signal);
    try {
      await Promise.all([this.#sweep(signal), this.#sweepOnRequest(signal)]);
    } finally {
      stop();
      await Promise.all(this.#running.values());
      await this.#commits.close();
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { context, postgres } = this.#options;
    const { clock, logger } = context;
    const admin = postgres.session('move sweeper', 'superuser', { timeoutMs: STATEMENT_TIMEOUT_MS });
    try {
      while (!signal.aborted) {
        try {
          const standing = this.#standing();
          if (standing?.leased === true) {
            await sweep(context, admin, standing.estate);
            await sweepReports(context, standing);
          }
        } catch (error) {
          logger.debug({ reason: messageOf(error) }, 'orphans of moves were not looked for');
        }
        await clock.sleep(SWEEP_EVERY_MS, signal);
      }
    } finally {
      await admin.close();
    }
  }

  /** With sessions of its own: a long wipe holds nothing else up. */
  async #sweepOnRequest(signal: AbortSignal): Promise<void> {
    const { context, postgres } = this.#options;
    const { clock, logger } = context;
    const timeoutMs = STATEMENT_TIMEOUT_MS;
    const admin = postgres.session('move sweep', 'superuser', { timeoutMs });
    const agent = postgres.session('move sweep rows', 'agent', { timeoutMs });
    const requested = new RequestedSweep({ context, admin, agent, standing: () => this.#standing() });
    try {
      while (!signal.aborted) {
        try {
          await requested.step(signal);
        } catch (error) {
          logger.debug({ reason: messageOf(error) }, 'what was asked for was not swept');
        }
        await clock.sleep(REQUEST_EVERY_MS, signal);
      }
    } finally {
      await Promise.all([admin.close(), agent.close()]);
    }
  }

  /** Undefined: this member doesn't lead under an open authority. */
  #standing(): Standing | undefined {
    const { context, watch, leaseLeftMs } = this.#options;
    const estate = watch.current();
    const authority = estate.clusters.get(context.cluster)?.authority;
    const leads = authority?.value.phase === 'open' && authority.value.leader === context.member;
    if (authority === undefined || !leads) return undefined;
    return { estate, authority, leased: (leaseLeftMs() ?? 0) > 0 };
  }

  #begin(view: EstateView, signal: AbortSignal): void {
    if (signal.aborted) return;
    const { context, watch } = this.#options;
    for (const [key, { value }] of view.moves) {
      const { cluster, logger } = context;
      if (this.#running.has(key) || (value.from !== cluster && value.to !== cluster)) continue;
      const mover = new StreamMover({
        context,
        watch,
        key,
        tools: this.#tools(`${value.operation}/${value.stream}`),
        standing: () => this.#standing(),
      });
      const running = mover
        .run(signal)
        .catch((error: unknown) => logger.error({ key, reason: messageOf(error) }, 'a mover ended'))
        .finally(() => this.#running.delete(key));
      this.#running.set(key, running);
    }
  }

  #tools(stream: string): StreamTools {
    const { context, ground, postgres } = this.#options;
    const open = (
      purpose: string,
      role: 'superuser' | 'agent',
      waits = false,
      timeoutMs = STATEMENT_TIMEOUT_MS,
    ) => postgres.session(`${purpose} ${stream}`, role, { waits, timeoutMs });
    const admin = open('move', 'superuser');
    const agent = open('move rows', 'agent');
    const slots = new SlotMaker(() => open('move slot', 'superuser', false, SLOT_TIMEOUT_MS), context.logger);
    const arrival = new Arrival(
      open('move arrival', 'superuser', false, ARRIVAL_TIMEOUT_MS),
      open('move nudge', 'superuser', true, ARRIVAL_TIMEOUT_MS),
    );
    return {
      context,
      ground,
      admin,
      agent,
      slots,
      arrival,
      host: this.#host,
      warmUp: () => Promise.allSettled([agent.query('select 1'), arrival.warmUp()]),
      close: async () => {
        slots.drop();
        await Promise.all([admin.close(), agent.close(), arrival.close()]);
      },
    };
  }
}
