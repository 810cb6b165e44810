/** `capstan.seal_shards` and `capstan.wipe_shards` (012-moves.sql). */
import { FenceState } from '../../src/domain/sqlstate.ts';
import { WIPE_REFUSED } from '../../src/reservations/moves-sql.ts';
import { CLUSTER_STATE } from './head-locks.ts';
import type { Row, Statement } from './sim-sql.ts';
import { SqlError } from './sql-error.ts';
import type { Change } from './wal.ts';

/** Of one lock; a session may say otherwise. */
const LOCK_MS = 5_000;

interface Sealing {
  readonly shard: number;
  readonly generation: number;
  readonly map_version: number;
  readonly handover?: string;
}

/** Takes the row of the cluster and these heads; then what `judge` answers is committed, and nobody is waited for. */
async function lockedly(
  { server, pid }: Statement,
  shards: readonly number[],
  judge: () => Change | undefined,
): Promise<void> {
  const { locks } = server;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const taken = [CLUSTER_STATE, ...shards.toSorted((a, b) => a - b)];
  const free = () => {
    for (const shard of taken) locks.free(shard);
  };
  const act = () => {
    try {
      const change = judge();
      if (change === undefined) {
        free();
        resolve();
        return;
      }
      server.append([change], (_, records) => {
        for (const record of records) server.tables.apply(record);
        free();
        resolve();
      });
    } catch (error) {
      free();
      reject(error);
    }
  };
  locks.takeAll(taken, server.lockTimeouts.get(pid) ?? LOCK_MS, act, () =>
    reject(new SqlError('55P03', 'a head is locked')),
  );
  await promise;
}

export async function sealShards(statement: Statement): Promise<readonly Row[]> {
  const { server, values } = statement;
  if (server.mode !== 'primary') throw new SqlError(FenceState.notLeader, 'this member follows');
  const [cluster, term, shardsText, marker] = values;
  const named = JSON.parse(String(shardsText)) as readonly Sealing[];
  const shards = named.map(({ shard }) => shard);
  await lockedly(statement, shards, () => {
    const { state, authority, heads } = server.tables;
    if (state?.cluster !== cluster) throw new SqlError(FenceState.wrongCluster, 'another cluster');
    if (state?.term !== term) throw new SqlError(FenceState.staleTerm, 'another term');
    for (const { shard, generation, map_version: mapVersion, handover } of named) {
      const row = authority.get(shard);
      const position = heads.get(shard);
      if (row === undefined || row.state === 'moved' || position === undefined || row.cluster !== cluster)
        throw new SqlError(FenceState.shardNotOwned, `shard ${shard} is not owned here`);
      if (handover !== undefined && position < Number(handover))
        throw new SqlError(FenceState.shardNotOwned, `shard ${shard} ends below its handover`);
      if (row.generation !== generation || row.mapVersion > mapVersion)
        throw new SqlError(
          FenceState.staleGeneration,
          `another generation or a later map of ${shard} was seen`,
        );
    }
    const sealed = named.map((one) => ({ shard: one.shard, mapVersion: one.map_version }));
    return { kind: 'seal', shards: sealed, marker: String(marker) };
  });
  const positions = Object.fromEntries(
    shards.map((shard) => [String(shard), String(server.tables.heads.get(shard) ?? 0)]),
  );
  return [{ positions }];
}

export async function wipeShards(statement: Statement): Promise<readonly Row[]> {
  const { server, values } = statement;
  if (server.mode !== 'primary') throw new SqlError(FenceState.notLeader, 'this member follows');
  const [operation, attempt, revisionText, given] = values;
  const shards = given as readonly number[];
  const revision = Number(revisionText);
  const { random } = server.postgres.environment.scheduler;
  const planted = server.postgres.environment.planted === 'wipes-by-an-old-map';
  let left = 0;
  await lockedly(statement, shards, () => {
    const { authority, moves } = server.tables;
    const rows = shards.map((shard) => moves.arrivals.get(shard));
    if (!planted && shards.some((shard) => ['serving', 'sealed'].includes(authority.get(shard)?.state ?? '')))
      throw new SqlError(WIPE_REFUSED, 'a shard is served here');
    const overtaken = rows.some(
      (row) =>
        row !== undefined &&
        (row.revision > revision || (row.operation === operation && row.attempt > Number(attempt))),
    );
    if (overtaken) throw new SqlError(WIPE_REFUSED, 'a later copy was seen');
    const gone = rows.every(
      (row) => row?.operation === operation && row?.attempt === attempt && row?.wiped === true,
    );
    if (gone) return undefined;
    const heads = random.chance(0.7);
    left = heads ? 0 : 1;
    return { kind: 'wipe', operation: String(operation), attempt: Number(attempt), revision, shards, heads };
  });
  return [{ answer: { deleted: 1, left } }];
}
