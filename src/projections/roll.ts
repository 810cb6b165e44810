import { AgentLiveness } from '../agent/liveness.ts';
import type { Keys } from '../controlplane/keys.ts';
import { rangeRecords } from '../controlplane/store.ts';
import type { EtcdPort, EtcdReader, Watch } from '../etcd/port.ts';
import type { ProjectorRecord } from './projector-record.ts';

/** What each projector that lives says of itself. */
export async function listProjectors(etcd: EtcdReader, keys: Keys): Promise<readonly ProjectorRecord[]> {
  const { records } = await rangeRecords<ProjectorRecord>(etcd, keys.projectors);
  return [...records.values()].map(({ value }) => value);
}

export interface RollOptions {
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly name: string;
  readonly ttlMs: number;
  readonly timeoutMs: number;
  readonly onNames: (names: readonly string[]) => void;
  readonly onBreak?: (error: unknown) => void;
}

/**
 * Which projectors live: each has a key under an etcd lease of its own. While etcd is away the last known ones count; work is shared
 * by it, and nothing is excluded.
 */
export class Roll {
  readonly #options: RollOptions;
  readonly #liveness: AgentLiveness;
  readonly #names = new Set<string>();
  #watch: Watch | undefined;

  private constructor(options: RollOptions) {
    this.#options = options;
    this.#liveness = new AgentLiveness(options.etcd, options.ttlMs);
  }

  /** Throws `etcd_unreachable` when there is no first answer in time. */
  static async open(options: RollOptions): Promise<Roll> {
    const roll = new Roll(options);
    await roll.#follow();
    return roll;
  }

  /** Says that this one lives, and what it does. Throws what EtcdPort.transact throws. */
  async report(record: ProjectorRecord): Promise<void> {
    const { etcd, keys, name, timeoutMs } = this.#options;
    const value = JSON.stringify(record);
    await this.#liveness.write((leaseId) =>
      etcd.transact([], [{ kind: 'put', key: keys.projector(name), value, leaseId }], {
        timeoutMs,
        repeatable: true,
      }),
    );
  }

  /** Its shards are others' as soon as etcd hears it. */
  async close(): Promise<void> {
    await this.#watch?.close();
    await this.#liveness.close();
  }

  async #follow(): Promise<void> {
    const { etcd, keys, onNames, onBreak } = this.#options;
    const nameOf = (key: string) => key.slice(keys.projectors.length);
    this.#watch = await etcd.watch(keys.projectors, {
      onSnapshot: ({ kvs }) => {
        this.#names.clear();
        for (const { key } of kvs) this.#names.add(nameOf(key));
        onNames([...this.#names]);
      },
      onEvents: (events) => {
        for (const event of events) {
          if (event.kind === 'put') this.#names.add(nameOf(event.kv.key));
          else this.#names.delete(nameOf(event.key));
        }
        onNames([...this.#names]);
      },
      ...(onBreak === undefined ? {} : { onBreak }),
    });
  }
}
