import type { Compared, MoveSides } from '../../src/controlplane/rebalance/ports.ts';
import { readRecord } from '../../src/controlplane/store.ts';
import type { Keys } from '../../src/controlplane/keys.ts';
import { refusedError, unreachableError } from '../../src/domain/errors.ts';
import {
  type MoveDifference,
  type MoveRecord,
  otherOf,
  type Positions,
} from '../../src/domain/move-records.ts';
import type { AuthorityRecord } from '../../src/domain/records.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { rowsOf, type ShardRows } from './move-tables.ts';
import type { SimProcess } from './process.ts';
import type { SimEnvironment } from './sim-postgres.ts';

export interface SimSidesOptions {
  readonly process: SimProcess;
  readonly etcd: EtcdPort;
  readonly keys: Keys;
  readonly environment: SimEnvironment;
}

const ANSWER_MS = 3_000;

/** Compares as the real one does, without its SQL: other's rows first, then owner's, each as one snapshot of its leader's tables. */
export function simSides(options: SimSidesOptions): MoveSides {
  const { process } = options;
  const compare = async (record: MoveRecord, sealed: boolean): Promise<Compared> => {
    const other = await readRows(options, record, otherOf(record));
    const owner = await readRows(options, record, record.owner);
    const positions: Record<string, string> = {};
    const differences: MoveDifference[] = [];
    let rows = 0;
    for (const shard of record.shards) {
      const [mine, twin] = [owner.get(shard), other.get(shard)];
      positions[String(shard)] = String(twin?.position ?? 0);
      rows += twin?.tokens.length ?? 0;
      const why = differenceIn(mine, twin, sealed);
      if (why !== undefined) differences.push(difference(shard, why));
    }
    return { verification: verificationOf(process, positions, rows), differences };
  };
  return {
    async verify({ record, onProgress }) {
      await process.clock.sleep(process.scheduler.random.between(1, 200));
      await onProgress({
        shard: record.shards[0] ?? 0,
        table: 'outbox',
        after: null,
        rows: '0',
        laterRows: '0',
        positions: {},
        startedAt: new Date(process.clock.wallMs()).toISOString(),
      });
      return compare(record, false);
    },
    verifySince: ({ record, sealed }) => compare(record, sealed),
    close: () => Promise.resolve(),
  };
}

const verificationOf = (process: SimProcess, positions: Positions, rows: number) => ({
  positions,
  rows: String(rows),
  laterRows: '0',
  at: new Date(process.clock.wallMs()).toISOString(),
});

const lineageOf = ({ lineage }: ShardRows): string =>
  lineage
    .map(([key]) => key)
    .toSorted()
    .join(' ');

/** What both must have: rows up to where the other one is, dense from the first on; at the seal no more than that. */
function differenceIn(
  owner: ShardRows | undefined,
  other: ShardRows | undefined,
  sealed: boolean,
): string | undefined {
  if (owner === undefined || other === undefined) return 'the head';
  if (owner.position < other.position) return 'the head’s position';
  if (sealed && owner.position !== other.position) return 'the sealed position';
  const upTo = ({ tokens }: ShardRows) =>
    new Map(
      tokens
        .filter(([, { position }]) => position <= other.position)
        .map(([token, row]) => [row.position, token]),
    );
  const [mine, twin] = [upTo(owner), upTo(other)];
  for (let position = 1; position <= other.position; position += 1)
    if (mine.get(position) === undefined || mine.get(position) !== twin.get(position))
      return `position ${position}`;
  if (!sealed) return undefined;
  return lineageOf(owner) === lineageOf(other) ? undefined : 'the lineage';
}

const difference = (shard: number, column: string): MoveDifference => ({
  shard,
  table: 'outbox',
  key: [],
  column,
  owner: null,
  other: null,
});

/** Of the leader under whose term the leg was made: what another one holds proves nothing of it. */
async function readRows(
  { process, etcd, keys, environment }: SimSidesOptions,
  record: MoveRecord,
  cluster: string,
): Promise<ReadonlyMap<number, ShardRows>> {
  const authority = (await readRecord<AuthorityRecord>(etcd, keys.authority(cluster)))?.value;
  if (authority?.phase !== 'open' || authority.leader === null || authority.term !== record.terms?.[cluster])
    throw refusedError('the leg is over', { code: 'move_leg_over', next: 'look again', retryable: true });
  const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<number, ShardRows>>();
  const { network } = environment;
  const postgres = environment.postgresOf(authority.leader);
  if (postgres === undefined) throw new Error(`there is no member ${authority.leader}`);
  const gone = () => reject(unreachableError('no rows', { code: 'postgres_unreachable' }));
  const cancel = process.timer(ANSWER_MS, gone);
  const [here, there] = [process.host.name, postgres.host.name];
  const answer = (how: () => void) =>
    network.tell(process, there, `${postgres.member} shows its rows`, () => {
      cancel();
      how();
    });
  network.send({ from: here, to: there, label: `${process.name} compares at ${postgres.member}` }, () => {
    const { server } = postgres;
    if (server === undefined || !server.answers) {
      answer(gone);
      return;
    }
    server.process.deliver('compare', () => {
      const rows = record.shards.flatMap((shard) => rowsOf(server.tables, shard) ?? []);
      const found = new Map(rows.map((row) => [row.shard, row]));
      answer(() => resolve(found));
    });
  });
  return promise;
}
