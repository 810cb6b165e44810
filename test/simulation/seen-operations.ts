import type { Keys } from '../../src/controlplane/keys.ts';
import type { HeldOperation } from '../../src/controlplane/operation/journal.ts';
import type { OperationKind, OperationRecord } from '../../src/domain/operation-records.ts';
import type { SimEtcd } from './sim-etcd.ts';
import type { Counts } from './world-options.ts';

const DONE = {
  failover: 'failovers',
  switchover: 'switchovers',
  membership: 'memberships',
  rejoin: 'rejoins',
  rebalance: 'rebalances',
} as const satisfies Record<OperationKind, keyof Counts>;

/** The journal as etcd has it, without asking anybody. */
export class SeenOperations {
  readonly #etcd: SimEtcd;
  readonly #keys: Keys;
  readonly #cluster: string;

  constructor(etcd: SimEtcd, keys: Keys, cluster: string) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#cluster = cluster;
  }

  /** The id of the one that holds the cluster. */
  get active(): string | undefined {
    const kv = this.#etcd.get(this.#keys.activeOperation(this.#cluster));
    return kv === undefined ? undefined : (JSON.parse(kv.value) as string);
  }

  get held(): HeldOperation | undefined {
    const id = this.active;
    const kv = id === undefined ? undefined : this.#etcd.get(this.#keys.operation(id));
    if (kv === undefined) return undefined;
    return { value: JSON.parse(kv.value) as OperationRecord, revision: kv.modRevision };
  }

  /** Those that somebody would still have to carry on. */
  get running(): readonly OperationRecord[] {
    return this.#all().filter(({ status }) => status === 'running');
  }

  countIn(counts: Counts): void {
    for (const { kind, status } of this.#all()) {
      if (status === 'aborted') counts.aborts += 1;
      else if (status === 'done') counts[DONE[kind]] += 1;
    }
  }

  #all(): readonly OperationRecord[] {
    const { kvs } = this.#etcd.range(this.#keys.operations);
    return kvs.map(({ value }) => JSON.parse(value) as OperationRecord);
  }
}
