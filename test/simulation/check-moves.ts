import {
  MOVE_OBJECTS,
  type MoveRecord,
  type MoveReport,
  otherOf,
  streamPrefix,
} from '../../src/domain/move-records.ts';
import type { Keys } from '../../src/controlplane/keys.ts';
import type {
  AuthorityRecord,
  InSyncRecord,
  MembershipRecord,
  ShardRecord,
} from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { Planted } from './planted.ts';
import type { SimPostgres } from './sim-postgres.ts';
import type { Invariant } from './violation.ts';
import { Tables } from './wal.ts';
import type { Counts } from './world-options.ts';

export interface MoveCheckOptions {
  readonly keys: Keys;
  readonly counts: Counts;
  readonly planted: Planted;
  readonly membersOf: (cluster: string) => readonly SimPostgres[];
  readonly incarnationOf: (member: string) => string | null;
  /** What keeps this cluster's leader's agent from acting, or who it is: another answer, and its time begins anew. */
  readonly standingOf: (cluster: string, leader: string | null) => string | undefined;
  /** True time. */
  readonly now: () => number;
  readonly report: (invariant: Invariant, message: string) => void;
}

/** Beyond budget and grace: clocks at half the speed, a pass that is under way, news that is late. */
const SEAL_SLACK_MS = 6_000;
const SEAL_GRACE_MS = 2_000;

interface Standing {
  readonly id: string;
  readonly owner: string;
  readonly budgetMs: number;
  since: number;
  by: string | undefined;
}

/** What etcd may take of moves, by the true state of both sides (src/controlplane/rebalance/SPEC.md, M1 to M7). */
export class MoveCheck {
  readonly #options: MoveCheckOptions;
  readonly entries = new Map<number, ShardRecord>();
  /** Shard, a slash, generation -> whose it was. */
  readonly owners = new Map<string, string>();
  readonly authorities = new Map<string, AuthorityRecord>();
  readonly #inSync = new Map<string, InSyncRecord>();
  readonly #memberships = new Map<string, MembershipRecord>();
  readonly #moves = new Map<string, MoveRecord>();
  readonly #reports = new Map<string, MoveReport>();
  readonly #seals = new Map<string, Standing>();
  /** Told of each flip before it counts. */
  onFlip: (shards: readonly number[], to: string) => void = () => undefined;

  constructor(options: MoveCheckOptions) {
    this.#options = options;
  }

  get streams(): readonly MoveRecord[] {
    return [...this.#moves.values()];
  }

  leaderOf(cluster: string): SimPostgres | undefined {
    const leader = this.authorities.get(cluster)?.leader;
    return this.#options.membersOf(cluster).find(({ member }) => member === leader);
  }

  committed(writes: readonly Write[]): void {
    const { keys } = this.#options;
    const streams = new Map<string, MoveRecord>();
    const entries: ShardRecord[] = [];
    const ended: string[] = [];
    for (const write of writes) {
      const { key } = write;
      if (write.kind !== 'put') {
        if (this.#moves.has(key)) ended.push(key);
        continue;
      }
      const value = (): unknown => JSON.parse(write.value);
      if (key.startsWith(keys.moves)) streams.set(key, value() as MoveRecord);
      else if (key.startsWith(keys.moveReports)) this.#reports.set(key, value() as MoveReport);
      else if (key.startsWith(keys.shards)) entries.push(value() as ShardRecord);
      else if (key.startsWith(keys.clusters)) this.#onCluster(key, value);
    }
    for (const entry of entries) this.#onEntry(entry, streams);
    for (const [key, next] of streams) this.#onStream(key, next, entries);
    for (const entry of entries) {
      this.entries.set(entry.shard, entry);
      this.owners.set(`${entry.shard}/${entry.generation}`, entry.cluster);
    }
    for (const key of ended) this.#onEnd(key);
  }

  #onCluster(key: string, value: () => unknown): void {
    const { keys } = this.#options;
    const cluster = key.slice(keys.clusters.length).split('/')[0] ?? '';
    if (key === keys.authority(cluster)) this.authorities.set(cluster, value() as AuthorityRecord);
    else if (key === keys.inSync(cluster)) this.#inSync.set(cluster, value() as InSyncRecord);
    else if (key === keys.membership(cluster)) this.#memberships.set(cluster, value() as MembershipRecord);
  }

  /** An entry changes owner by a flip, and its state by a seal or the end of one. */
  #onEntry(next: ShardRecord, streams: ReadonlyMap<string, MoveRecord>): void {
    const before = this.entries.get(next.shard);
    if (before === undefined) return;
    const wrong = (what: string) =>
      this.#options.report('owner-changes-by-flip', `shard ${next.shard} of ${before.cluster}: ${what}`);
    if (next.mapVersion <= before.mapVersion || next.generation < before.generation)
      wrong(
        `version ${before.mapVersion}, generation ${before.generation} become ${next.mapVersion}, ${next.generation}`,
      );
    const [key, stream] = [...streams].find(([, { shards }]) => shards.includes(next.shard)) ?? [];
    const was = this.#moves.get(key ?? '');
    const step = `${was?.phase} -> ${stream?.phase}`;
    if (next.cluster !== before.cluster) {
      const flips =
        step === 'seal -> turn' && stream?.owner === next.cluster && stream.leg === (was?.leg ?? 0) + 1;
      if (!flips || next.generation !== before.generation + 1) wrong(`it goes to ${next.cluster} by ${step}`);
    } else if (next.generation !== before.generation) wrong(`its generation rises by ${step}`);
    else if (next.state === 'sealed' && step !== 'follow -> seal') wrong(`it is sealed by ${step}`);
    else if (next.state === 'serving' && before.state === 'sealed' && step !== 'seal -> follow')
      wrong(`it is unsealed by ${step}`);
  }

  #onStream(key: string, next: MoveRecord, entries: readonly ShardRecord[]): void {
    const { counts, now } = this.#options;
    const before = this.#moves.get(key);
    if (before?.phase === 'seal' && next.phase === 'turn') {
      counts.flips += 1;
      this.#onFlip(before, next, entries);
    } else if (before?.phase === 'seal' && next.phase === 'follow') counts.backOuts += 1;
    if (next.attempt > (before?.attempt ?? 0)) counts.copies += 1;
    this.#moves.set(key, next);
    if (next.seal === null) this.#seals.delete(key);
    else if (this.#seals.get(key)?.id !== next.seal.id) {
      const { id, budgetMs } = next.seal;
      this.#seals.set(key, { id, owner: next.owner, budgetMs, since: now(), by: undefined });
    }
  }

  #onFlip(before: MoveRecord, next: MoveRecord, entries: readonly ShardRecord[]): void {
    const { report } = this.#options;
    const { owner, seal, shards, terms } = before;
    const other = otherOf(before);
    const moved = new Set(entries.filter(({ cluster }) => cluster === other).map(({ shard }) => shard));
    if (shards.some((shard) => !moved.has(shard)))
      report('owner-changes-by-flip', `a flip to ${other} leaves some of ${shards.join(', ')} behind`);
    for (const cluster of [owner, other]) {
      const authority = this.authorities.get(cluster);
      if (authority?.phase !== 'open' || authority.term !== terms?.[cluster])
        report(
          'flip-under-its-terms',
          `${cluster} is ${authority?.phase} under term ${authority?.term}; the leg was made under ${terms?.[cluster]}`,
        );
    }
    this.onFlip(shards, other);
    if (this.#options.planted === 'opens-below-the-handover') return;
    for (const { member, disk } of this.#mustHold(other)) {
      const tables = new Tables();
      for (const record of disk.wal.slice(0, disk.flushed)) tables.apply(record);
      const lacks = shards.find(
        (shard) =>
          String(tables.heads.get(shard)) !== next.handover?.positions[String(shard)] ||
          tables.moves.markers.get(shard) !== seal?.id,
      );
      if (lacks !== undefined)
        report(
          'handed-over-is-held',
          `${member} of ${other} has shard ${lacks} at ${tables.heads.get(lacks)} as it is handed over at ${next.handover?.positions[String(lacks)]}`,
        );
    }
  }

  /** Whoever may lead the cluster next: the leader, its recorded voters, the observers. */
  #mustHold(cluster: string): readonly SimPostgres[] {
    const { membersOf, incarnationOf } = this.#options;
    const voters = new Map(this.#inSync.get(cluster)?.voters.map((one) => [one.member, one.incarnation]));
    const roles = this.#memberships.get(cluster)?.members;
    const leader = this.authorities.get(cluster)?.leader;
    return membersOf(cluster).filter(({ member, disk }) => {
      if (member === leader) return true;
      // What it had was thrown away by hand.
      if (voters.has(member)) return voters.get(member) === incarnationOf(member);
      return roles?.[member]?.role === 'observer' && disk.exists;
    });
  }

  /** While the leaders are those who said that nothing is left, nothing is (M6). */
  #onEnd(key: string): void {
    const { keys, report } = this.#options;
    const stream = this.#moves.get(key);
    this.#moves.delete(key);
    this.#seals.delete(key);
    if (stream === undefined) return;
    for (const cluster of [stream.from, stream.to]) {
      const said = this.#reports.get(keys.moveReport(stream.operation, stream.stream, cluster));
      const postgres = this.leaderOf(cluster);
      const server = postgres?.server;
      if (said?.term !== this.authorities.get(cluster)?.term || server?.mode !== 'primary') continue;
      const left = objectsOf(postgres).filter((name) => name.startsWith(streamPrefix(stream)));
      const rows =
        cluster === stream.owner ? [] : stream.shards.filter((shard) => server.tables.heads.has(shard));
      if (left.length + rows.length > 0)
        report('nothing-is-left', `${cluster} has ${left.join(', ')} and rows of ${rows.join(', ')}`);
    }
  }

  /** After each event: a seal ends, whoever else is gone, while its owner's agent can act. */
  check(): void {
    const { now, standingOf, report } = this.#options;
    for (const seal of this.#seals.values()) {
      const by = standingOf(seal.owner, this.authorities.get(seal.owner)?.leader ?? null);
      if (by === undefined || by !== seal.by || this.authorities.get(seal.owner)?.phase !== 'open')
        seal.since = now();
      seal.by = by;
      const forMs = now() - seal.since;
      if (forMs > (seal.budgetMs + SEAL_GRACE_MS) * 2 + SEAL_SLACK_MS)
        report('seal-ends', `a seal of ${seal.owner} stands for ${forMs.toFixed(0)} ms beside ${by}`);
    }
  }

  /** Whether nothing of a move is left on any leader; the sweepers take their time. */
  get leftovers(): readonly string[] {
    return [...this.authorities.keys()].flatMap((cluster) => objectsOf(this.leaderOf(cluster)));
  }
}

function objectsOf(postgres: SimPostgres | undefined): readonly string[] {
  const { moves } = postgres?.server?.tables ?? new Tables();
  const names = [
    ...moves.subscriptions.keys(),
    ...moves.publications.keys(),
    ...(postgres?.disk.slots.keys() ?? []),
  ];
  return names.filter((name) => name.startsWith(MOVE_OBJECTS));
}
