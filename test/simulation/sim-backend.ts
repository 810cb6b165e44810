import { unreachableError } from '../../src/domain/errors.ts';
import type { SimProcess } from './process.ts';
import type { SimServer } from './sim-server.ts';
import { handlerOf, type Row } from './sim-sql.ts';

export const postgresGone = (why: string) => unreachableError(why, { code: 'postgres_unreachable' });

/**
 * One connection of a client and the backend behind it: one statement at a time, in the order of the calls, as pg sends
 * them. A connection that is dropped sends nothing more, but the statement that is under way is carried out all the same.
 */
export class SimBackend {
  readonly server: SimServer;
  readonly #client: SimProcess;
  readonly #pid: number;
  readonly #waits: boolean;
  #queue: (() => void)[] = [];
  #busy = false;

  constructor(client: SimProcess, server: SimServer, { waits }: { readonly waits: boolean }) {
    this.#client = client;
    this.server = server;
    this.#pid = server.nextPid;
    this.#waits = waits;
  }

  drop(): void {
    this.#queue = [];
  }

  send(text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Row[]>();
    const settle = (how: () => void) => this.#client.deliver('sql', how);
    const onEnd = () => settle(() => reject(postgresGone('the connection was lost')));
    this.server.onEnd.add(onEnd);
    const execute = async () => {
      try {
        const { server } = this;
        const rows = await handlerOf(text)({ server, text, values, waits: this.#waits, pid: this.#pid });
        settle(() => resolve(rows));
      } catch (error) {
        settle(() => reject(error));
      } finally {
        this.server.onEnd.delete(onEnd);
        this.#next();
      }
    };
    const begin = () => this.#begin(() => void execute(), text);
    if (this.#busy) this.#queue.push(begin);
    else begin();
    return promise;
  }

  /** Most statements take no time worth an event; a crash or a pause can come between any two of the others. */
  #begin(execute: () => void, text: string): void {
    this.#busy = true;
    const { process } = this.server;
    const { random } = process.scheduler;
    if (process.state === 'running' && random.chance(0.85)) {
      execute();
      return;
    }
    const label = `${process.name} ${text.trim().slice(0, 40)}`;
    const takesMs = random.chance(0.05) ? random.between(5, 80) : random.between(0.1, 4);
    // After a pause of the whole server its backends go on in any order.
    const reachesMs = random.chance(0.3) ? random.between(0.1, 30) : 0;
    process.timer(
      takesMs,
      () => {
        if (reachesMs === 0) execute();
        else process.timer(reachesMs, execute, label);
      },
      label,
    );
  }

  #next(): void {
    const next = this.#queue.shift();
    this.#busy = false;
    next?.();
  }
}
