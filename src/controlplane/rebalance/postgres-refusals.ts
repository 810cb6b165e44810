import type { ReplicationRoom } from '../../postgres/queries/replication-room.ts';
import type { PlanRefusal } from '../failover/plan-types.ts';
import type { MeasuredCluster } from './plan-inputs.ts';
import type { PlannedStream } from './plan-types.ts';

/** Workers and walsenders that copy tables beside those that follow, for each stream that copies. */
const COPIERS_A_STREAM = 2;

interface Side {
  readonly cluster: string;
  readonly measured: MeasuredCluster | undefined;
}

interface Pairing {
  readonly streams: readonly PlannedStream[];
  readonly measured: ReadonlyMap<string, MeasuredCluster>;
  readonly concurrentCopiesMax: number;
}

/** How many streams each cluster gives and takes. */
interface Counted extends Pairing {
  readonly gives: ReadonlyMap<string, number>;
  readonly takes: ReadonlyMap<string, number>;
}

/** What the leaders' Postgres say against the streams: versions, schemas, settings, room. */
export function postgresRefusals(about: Pairing): readonly PlanRefusal[] {
  const names = [...new Set(about.streams.flatMap(({ from, to }) => [from, to]))].toSorted();
  const pairs = [...new Map(about.streams.map(({ from, to }) => [`${from} ${to}`, { from, to }])).values()];
  const counted = {
    ...about,
    gives: countBy(about.streams.map(({ from }) => from)),
    takes: countBy(about.streams.map(({ to }) => to)),
  };
  return [
    ...names.flatMap((cluster) => sideRefusals({ cluster, measured: about.measured.get(cluster) }, counted)),
    ...pairs.flatMap((pair) => pairRefusals(pair, about.measured)),
    ...diskRefusals(about),
  ];
}

/** Where nobody reports the room on disk: to be seen to by a person, for unknown is not none. */
export const diskUnknown = ({ streams, measured }: Pairing): readonly string[] =>
  [...new Set(streams.map(({ to }) => to))].toSorted().filter((cluster) => {
    const side = measured.get(cluster);
    return side?.kind === 'measured' && side.diskFreeBytes === null;
  });

function sideRefusals({ cluster, measured }: Side, about: Counted): readonly PlanRefusal[] {
  if (measured === undefined) return [];
  if (measured.kind === 'unreachable')
    return [
      refusal(
        'cluster_unreachable',
        `the leader of ${cluster} can't be asked: ${measured.why}`,
        `capstan cluster show ${cluster}`,
      ),
    ];
  const { room } = measured;
  if (room.inRecovery)
    return [
      refusal(
        'leader_unhealthy',
        `the Postgres of ${cluster}'s leader still follows another one`,
        `capstan cluster show ${cluster}`,
      ),
    ];
  const found: PlanRefusal[] = [];
  if (room.walLevel !== 'logical')
    found.push(
      refusal(
        'wal_level_low',
        `wal_level of ${cluster} is ${room.walLevel}: nothing can be decoded from its log`,
        `set wal_level = logical on ${cluster}'s members and restart them, a switchover for the leader`,
      ),
    );
  if (room.tablesWithoutIdentity.length > 0)
    found.push(
      refusal(
        'replica_identity_missing',
        `on ${cluster} the replica identity lacks shard_id: ${room.tablesWithoutIdentity.join(', ')}`,
        `alter table capstan.${room.tablesWithoutIdentity[0] ?? ''} replica identity default, which is the primary key`,
      ),
    );
  return [...found, ...roomRefusals(cluster, room, about)];
}

function roomRefusals(cluster: string, room: ReplicationRoom, about: Counted): readonly PlanRefusal[] {
  const [gives, takes] = [about.gives.get(cluster) ?? 0, about.takes.get(cluster) ?? 0];
  const copying = (streams: number) => Math.min(streams, about.concurrentCopiesMax) * COPIERS_A_STREAM;
  // Each side has a slot for every stream, the way there or the way back; once it is turned round, the workers too.
  const needs = [
    ['slots', 'max_replication_slots', gives + takes + copying(gives)],
    ['walsenders', 'max_wal_senders', gives + takes + copying(gives)],
    ['workers', 'max_logical_replication_workers', gives + takes + copying(takes)],
  ] as const;
  return needs
    .filter(([name, , needed]) => room[name].max - room[name].used < needed)
    .map(([name, setting, needed]) =>
      refusal(
        `${name}_short`,
        `${cluster} has ${Math.max(0, room[name].max - room[name].used)} ${name} free, and the plan takes ${needed}`,
        `raise ${setting} of ${cluster}'s members, or move less at once: --max-shards`,
        '--max-shards',
      ),
    );
}

function pairRefusals(
  { from, to }: Pick<PlannedStream, 'from' | 'to'>,
  measured: ReadonlyMap<string, MeasuredCluster>,
): readonly PlanRefusal[] {
  const [left, right] = [measured.get(from), measured.get(to)];
  if (left?.kind !== 'measured' || right?.kind !== 'measured') return [];
  const found: PlanRefusal[] = [];
  if (left.room.majorVersion !== right.room.majorVersion)
    found.push(
      refusal(
        'version_differs',
        `${from} runs Postgres ${left.room.majorVersion}, ${to} runs ${right.room.majorVersion}`,
        'bring both clusters to the same major version first',
      ),
    );
  if (left.room.migrations.join() !== right.room.migrations.join())
    found.push(
      refusal(
        'schema_differs',
        `the schema of ${from} is at ${left.room.migrations.at(-1) ?? 'nothing'}, of ${to} at ${right.room.migrations.at(-1) ?? 'nothing'}`,
        'run the same version of the agent on both leaders: it brings the schema up to date',
      ),
    );
  return found;
}

/** Twice the rows: the copy, and what its indexes and a second attempt need beside it. */
function diskRefusals({ streams, measured }: Pairing): readonly PlanRefusal[] {
  const byTarget = Map.groupBy(streams, ({ to }) => to);
  return [...byTarget].flatMap(([to, own]) => {
    const side = measured.get(to);
    if (side?.kind !== 'measured' || side.diskFreeBytes === null) return [];
    const needed = 2n * own.reduce((sum, { bytes }) => sum + BigInt(bytes), 0n);
    if (BigInt(side.diskFreeBytes) >= needed) return [];
    return [
      refusal(
        'disk_short',
        `${to} has ${side.diskFreeBytes} bytes free, and the plan takes ${needed}, twice what is copied`,
        `make room on ${to}, or move less at once: --max-shards`,
        '--max-shards',
      ),
    ];
  });
}

const refusal = (
  code: string,
  message: string,
  next: string,
  override: string | null = null,
): PlanRefusal => ({ code, message, override, next });

function countBy(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
