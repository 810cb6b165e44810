/** What src/reservations/heartbeat-sql.ts asks: the fence, the wait for followers and the local commit, as in 013-log.sql. */
import { fence } from './fence.ts';
import type { SimServer } from './sim-server.ts';
import type { Row, Statement } from './sim-sql.ts';
import { SqlError } from './sql-error.ts';

const SCOPE = /\('([^']*)', (\d+), (\d+), (true|false|'\d+')/;

/** The beat and the heads that a run of a server has last said; a new run says all anew. */
const said = new WeakMap<SimServer, { beat: number; heads: Map<number, string> }>();

const saidBy = (server: SimServer) => {
  const known = said.get(server) ?? { beat: 0, heads: new Map<number, string>() };
  said.set(server, known);
  return known;
};

/** The cluster's fence through the first shard that it owns; answers the last argument of the scope. */
function fenced({ server, text }: Statement): string {
  const [, cluster, epoch, term, last] = SCOPE.exec(text) ?? [];
  if (cluster === undefined || last === undefined) throw new Error(`not as the agent asks: ${text}`);
  const owned = [...server.tables.authority].find(([, { state }]) => state !== 'moved');
  const result = fence(
    { ...server.fenceInputs, names: server.settings.agents },
    {
      cluster,
      epoch: Number(epoch),
      term: Number(term),
      shard: owned?.[0] ?? -1,
      generation: owned?.[1].generation ?? 0,
      deciding: false,
    },
  );
  if (typeof result === 'string') throw new SqlError(result, 'no heartbeat');
  return last;
}

const answer = (value: unknown): readonly Row[] => [{ answer: JSON.stringify(value) }];

export async function readHeads(statement: Statement): Promise<readonly Row[]> {
  const { server } = statement;
  const due = fenced(statement) === 'true';
  const at = new Date(server.fenceInputs.wallMs).toISOString();
  const { beat, heads: known } = saidBy(server);
  const heads = [...server.tables.heads]
    .filter(([shard, position]) => known.get(shard) !== String(position))
    .map(([shard, position]) => [shard, 1, String(position)]);
  if (heads.length === 0 && !due) return answer({ at: null, beat: String(beat), heads });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.append([{ kind: 'nothing', why: 'barrier' }], (lsn) =>
    server.waitForFollowers(lsn, () => resolve()),
  );
  await promise;
  return answer({ at, beat: String(beat), heads });
}

export async function writeBeat(statement: Statement): Promise<readonly Row[]> {
  const { server, text } = statement;
  const after = Number(fenced(statement).replaceAll("'", ''));
  const known = saidBy(server);
  if (known.beat !== after) return answer({ kind: 'overtaken' });
  const [, heads = '[]'] = /'(\[.*\])'::jsonb/.exec(text) ?? [];
  const { promise, resolve } = Promise.withResolvers<void>();
  server.append([{ kind: 'nothing', why: 'heartbeat' }], () => resolve());
  await promise;
  known.beat = after + 1;
  for (const [shard, , position] of JSON.parse(heads) as readonly [number, number, string][])
    known.heads.set(shard, position);
  return answer({ kind: 'beaten' });
}
