import type { LossRecord } from '../../src/domain/loss-records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { MoveCheck, MoveCheckOptions } from './check-moves.ts';
import { fence } from './fence.ts';
import { named } from './invariants.ts';
import { canBeAcknowledged } from './rights.ts';
import type { Told } from './sim-client.ts';
import type { SimPostgres } from './sim-postgres.ts';
import { type LogRecord, Tables } from './wal.ts';

interface Loss {
  readonly record: LossRecord;
  /** What the cluster owned when it was decided. */
  readonly shards: ReadonlySet<number>;
}

/** What callers were told, and whose rows they are, over all clusters and owners. */
export class MovedRowsCheck {
  readonly #options: MoveCheckOptions & { readonly members: readonly SimPostgres[] };
  readonly #moves: MoveCheck;
  readonly #told = new Map<string, Told>();
  readonly #losses = new Map<string, Loss>();

  constructor(options: MoveCheckOptions & { readonly members: readonly SimPostgres[] }, moves: MoveCheck) {
    this.#options = options;
    this.#moves = moves;
    moves.onFlip = (shards, to) => this.#holdsAll(shards, to);
  }

  committed(writes: readonly Write[]): void {
    const { keys } = this.#options;
    for (const write of writes)
      if (write.kind === 'put' && write.key.includes('/losses/') && !this.#losses.has(write.key)) {
        const record = JSON.parse(write.value) as LossRecord;
        if (write.key !== keys.loss(record.cluster, record.operation)) continue;
        const own = [...this.#moves.entries.values()].filter(({ cluster }) => cluster === record.cluster);
        this.#losses.set(write.key, { record, shards: new Set(own.map(({ shard }) => shard)) });
      }
  }

  /** For each shard at most one member could confirm a decision that begins now (I1). */
  check(): void {
    const confirming = new Map<number, string>();
    for (const postgres of this.#options.members) {
      const { server } = postgres;
      if (server?.mode !== 'primary' || !server.answers || postgres.disk.lease === undefined) continue;
      const inputs = server.fenceInputs;
      const { state, authority } = inputs.tables;
      if (state === undefined || !canBeAcknowledged(postgres)) continue;
      const { cluster, epoch, term } = state;
      for (const [shard, { generation, state: standing }] of authority) {
        if (standing !== 'serving') continue;
        const asked = { cluster, epoch, term, shard, generation, deciding: true };
        if (typeof fence(inputs, asked) === 'string') continue;
        const also = confirming.get(shard);
        if (also !== undefined)
          this.#options.report(
            'one-authority',
            `${also} and ${postgres.member} can both confirm for shard ${shard}`,
          );
        confirming.set(shard, postgres.member);
      }
    }
  }

  appended(member: string, { change }: LogRecord): void {
    const { report } = this.#options;
    const postgres = this.#options.members.find((one) => one.member === member);
    const tables = postgres?.server?.tables;
    if (change.kind === 'wipe') {
      const owned = change.shards.filter((shard) => {
        const owner = this.#moves.entries.get(shard)?.cluster;
        return owner !== undefined && this.#moves.leaderOf(owner) === postgres;
      });
      if (owned.length > 0)
        report(
          'wipes-nothing-owned',
          `${member} wipes ${owned.join(', ')}, which the map gives to its cluster`,
        );
    }
    if (change.kind !== 'adopt' || tables === undefined) return;
    for (const { shard, generation, state, withheld } of change.shards) {
      const entry = this.#moves.entries.get(shard);
      const { handover } = entry ?? {};
      if (entry?.generation !== generation || handover === undefined || withheld === true) continue;
      if (state === 'serving' && (tables.heads.get(shard) ?? 0) < Number(handover))
        report(
          'opens-at-the-handover',
          `${member} opens shard ${shard} at ${tables.heads.get(shard)}; it was handed over at ${handover}`,
        );
    }
  }

  told(client: string, told: Told): void {
    const key = `${told.shard}/${told.token}`;
    const before = this.#told.get(key);
    const same =
      before?.position === told.position &&
      before.outcome === told.outcome &&
      before.generation === told.generation;
    if (before !== undefined && !same && !this.#isLost(before))
      this.#options.report(
        'one-outcome',
        `${named(told)} was told to ${client}, and before it ${named(before)}`,
      );
    this.#told.set(key, told);
  }

  #isLost({ shard, generation, term, position }: Told): boolean {
    const by = this.#moves.owners.get(`${shard}/${generation}`);
    return [...this.#losses.values()].some(
      ({ record, shards }) =>
        record.cluster === by &&
        shards.has(shard) &&
        term < record.term &&
        Number(position) > Number(record.positions[String(shard)] ?? '0'),
    );
  }

  /** Whoever takes these shards over has all that was told of them. */
  #holdsAll(shards: readonly number[], cluster: string): void {
    const postgres = this.#moves.leaderOf(cluster);
    if (postgres === undefined) return;
    const { tokens } = foldOf(postgres);
    for (const told of this.#told.values()) {
      if (!shards.includes(told.shard) || this.#isLost(told)) continue;
      if (String(tokens.get(`${told.shard}/${told.token}`)?.position) !== told.position)
        this.#options.report(
          'nothing-confirmed-is-lost',
          `${named(told)} is not held by ${postgres.member}, to whom its shard goes`,
        );
    }
  }

  /** At the end whoever owns a shard has all that was told of it, and every position from the first on. */
  atEnd(): void {
    const clusters = Map.groupBy(this.#moves.entries.values(), ({ cluster }) => cluster);
    for (const [cluster, entries] of clusters) {
      const shards = entries.map(({ shard }) => shard);
      this.#holdsAll(shards, cluster);
      const postgres = this.#moves.leaderOf(cluster);
      if (postgres === undefined) continue;
      const { tokens, heads } = foldOf(postgres);
      for (const shard of shards) {
        const positions = [...tokens]
          .filter(([key]) => key.startsWith(`${shard}/`))
          .map(([, { position }]) => position)
          .toSorted((a, b) => a - b);
        const dense = positions.every((position, index) => position === index + 1);
        if (!dense || positions.length !== heads.get(shard))
          this.#options.report(
            'dense-positions',
            `${postgres.member} has ${positions.join(' ')} of shard ${shard}, whose head is at ${heads.get(shard)}`,
          );
      }
    }
  }
}

function foldOf({ disk }: SimPostgres): Tables {
  const tables = new Tables();
  for (const record of disk.wal.slice(0, disk.flushed)) tables.apply(record);
  return tables;
}
