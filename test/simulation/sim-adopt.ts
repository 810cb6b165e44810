import { FenceState } from '../../src/domain/sqlstate.ts';
import { CLUSTER_STATE } from './head-locks.ts';
import type { SimServer } from './sim-server.ts';
import type { Row, Statement } from './sim-sql.ts';
import { SqlError } from './sql-error.ts';
import type { AdoptedShard } from './wal.ts';

const ADOPT_LOCK_MS = 5_000;

interface Named {
  readonly shard: number;
  readonly generation: number;
  readonly state: 'serving' | 'sealed';
  readonly map_version?: number;
  readonly handover?: string;
}

/** `capstan.adopt_term` (007-adopt-term.sql). */
export async function adoptTerm({ server, values }: Statement): Promise<readonly Row[]> {
  if (server.mode !== 'primary') throw new SqlError(FenceState.notLeader, 'this member follows');
  const [cluster, epoch, term, reason, shardsText, incarnation] = values;
  const { state } = server.tables;
  if (state !== undefined) {
    if (state.cluster !== cluster) throw new SqlError(FenceState.wrongCluster, 'another cluster');
    if (incarnation !== null && state.incarnation !== null && state.incarnation !== incarnation)
      throw new SqlError(FenceState.wrongCluster, 'another estate');
    if (state.epoch > Number(epoch)) throw new SqlError(FenceState.staleEpoch, 'a later epoch was seen');
    if (state.term > Number(term)) throw new SqlError(FenceState.staleTerm, 'a later term was seen');
  }
  const named = JSON.parse(String(shardsText)) as readonly Named[];
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const { locks } = server;
  const late = () => reject(new SqlError('55P03', 'a head is locked'));
  locks.take(
    CLUSTER_STATE,
    ADOPT_LOCK_MS,
    () => {
      const drained = changedHeads(server, named, Number(term));
      const free = () => {
        for (const shard of [...drained, CLUSTER_STATE]) locks.free(shard);
      };
      const adopt = () => {
        const older = olderThanSeen(server, named);
        if (older !== undefined) {
          free();
          reject(new SqlError(FenceState.staleGeneration, older));
          return;
        }
        const shards = named.map((one) => adopted(server, one));
        const change = {
          kind: 'adopt',
          cluster: String(cluster),
          epoch: Number(epoch),
          term: Number(term),
          reason: String(reason),
          incarnation: typeof incarnation === 'string' ? incarnation : null,
          shards,
        } as const;
        server.append([change], (_, records) => {
          for (const record of records) server.tables.apply(record);
          free();
          resolve(shards.filter(({ withheld }) => withheld === true).length);
        });
      };
      locks.takeAll(drained, ADOPT_LOCK_MS, adopt, () => {
        locks.free(CLUSTER_STATE);
        late();
      });
    },
    late,
  );
  const withheld = await promise;
  return [{ answer: { heads_made: 0, authority_changed: 0, moved: 0, lineage_written: 0, withheld } }];
}

/** Under a new term all of them: the lineage begins after what the old one still commits. */
function changedHeads({ tables }: SimServer, named: readonly Named[], term: number): readonly number[] {
  const byShard = new Map(named.map((one) => [one.shard, one]));
  const changes = (shard: number) => {
    const [is, to] = [tables.authority.get(shard), byShard.get(shard)];
    return is?.generation !== to?.generation || is?.state !== to?.state;
  };
  return [...tables.heads.keys()]
    .filter((shard) => tables.state?.term !== term || changes(shard))
    .toSorted((a, b) => a - b);
}

function olderThanSeen({ tables }: SimServer, named: readonly Named[]): string | undefined {
  for (const { shard, generation, map_version: mapVersion = 0 } of named) {
    const seen = tables.authority.get(shard);
    if (seen !== undefined && seen.generation > generation) return `a later generation of ${shard} was seen`;
    if (seen !== undefined && seen.mapVersion > mapVersion) return `a later map was seen for ${shard}`;
  }
  return undefined;
}

/** Withheld where its rows end below the position at which it was handed over. */
function adopted({ tables, postgres }: SimServer, named: Named): AdoptedShard {
  const { shard, generation, state, map_version: mapVersion = 0, handover } = named;
  const missing = handover !== undefined && (tables.heads.get(shard) ?? -1) < Number(handover);
  return missing && postgres.environment.planted !== 'opens-below-the-handover'
    ? { shard, generation, state: 'sealed', mapVersion, withheld: true }
    : { shard, generation, state, mapVersion };
}
