/** What the movers of an agent send (src/agent/moves/statements.ts, move-facts.ts, arrival.ts), by its text. */
import type { Slot } from './logical-senders.ts';
import { sealShards, wipeShards } from './sim-moved-rows.ts';
import type { SimServer } from './sim-server.ts';
import type { Handler, Row, Statement } from './sim-sql.ts';
import { SqlError } from './sql-error.ts';
import { type Change, lsnNumber, lsnText } from './wal.ts';

export const MOVE_HANDLERS: readonly (readonly [marks: string, Handler])[] = [
  ['pg_stat_subscription_stats', moveFacts],
  ['position::text, marker from capstan.shard_head', heads],
  ['from capstan.arrival', wiped],
  ['create publication', createPublication],
  ['drop publication', dropPublication],
  ['create subscription', createSubscription],
  ['set (slot_name = none)', () => []],
  ['alter subscription', alterSubscription],
  ['drop subscription', dropSubscription],
  ['pg_create_logical_replication_slot', createSlot],
  ['pg_terminate_backend(active_pid)', endUserOfSlot],
  ['pg_drop_replication_slot', dropSlot],
  ['pg_replication_slot_advance', advanceSlot],
  ['pg_blocking_pids', () => []],
  ['capstan.seal_shards(', sealShards],
  ['capstan.wipe_shards(', wipeShards],
  [`set_config('lock_timeout'`, setLockTimeout],
];

const TABLES = 6;

function setLockTimeout({ server, values: [ms], pid }: Statement): readonly Row[] {
  server.lockTimeouts.set(pid, Number(ms));
  return [];
}

const quoted = (text: string): readonly string[] =>
  [...text.matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? '');
const nameIn = ({ text }: Statement): string => quoted(text)[0] ?? '';

/** A catalog's change is a transaction like any other; these sessions wait for no follower. */
async function change({ server }: Statement, ...changes: readonly Change[]): Promise<readonly Row[]> {
  demandPrimary(server);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.append(changes, (_, records) => {
    for (const record of records) server.tables.apply(record);
    resolve();
  });
  await promise;
  await server.launcher.look();
  return [];
}

function demandPrimary({ mode }: SimServer): void {
  if (mode !== 'primary') throw new SqlError('25006', 'cannot execute in a read-only transaction');
}

function createPublication(statement: Statement): Promise<readonly Row[]> {
  const shards = /shard_id in \(([^)]*)\)/.exec(statement.text)?.[1] ?? '';
  const name = nameIn(statement);
  if (statement.server.tables.moves.publications.has(name)) throw new SqlError('42710', `${name} exists`);
  return change(statement, { kind: 'publish', name, shards: shards.split(',').map(Number) });
}

function dropPublication(statement: Statement): Promise<readonly Row[]> {
  return change(statement, { kind: 'unpublish', name: nameIn(statement) });
}

function createSubscription(statement: Statement): Promise<readonly Row[]> {
  const { text, server } = statement;
  const name = nameIn(statement);
  if (server.tables.moves.subscriptions.has(name)) throw new SqlError('42710', `${name} exists`);
  const source = /connection '([^']*)'/.exec(text)?.[1] ?? '';
  const copies = text.includes('copy_data = true');
  return change(statement, { kind: 'subscribe', subscription: { name, source, enabled: true, copies } });
}

function alterSubscription(statement: Statement): Promise<readonly Row[]> {
  const name = nameIn(statement);
  if (!statement.server.tables.moves.subscriptions.has(name)) throw new SqlError('42704', `no ${name}`);
  return change(statement, { kind: 'apply', name, on: statement.text.includes(' enable') });
}

function dropSubscription(statement: Statement): Promise<readonly Row[]> {
  return change(statement, { kind: 'unsubscribe', name: nameIn(statement) });
}

/** It stands once what was under way at its beginning has ended: what is in the log by then is not sent from it. */
async function createSlot({ server, values: [named] }: Statement): Promise<readonly Row[]> {
  demandPrimary(server);
  const { postgres, process } = server;
  const { slots } = postgres.disk;
  const name = String(named);
  if (slots.has(name)) throw new SqlError('42710', `slot ${name} exists`);
  const slot: Slot = { name, confirmed: null, kept: 0, lost: false };
  slots.set(name, slot);
  const { random } = postgres.environment.scheduler;
  const { promise, resolve } = Promise.withResolvers<void>();
  process.timer(random.chance(0.15) ? random.between(100, 2_000) : random.between(1, 60), resolve);
  await promise;
  slot.confirmed = postgres.endLsn;
  slot.kept = postgres.endLsn;
  return [{}];
}

function endUserOfSlot({ server, values: [name] }: Statement): readonly Row[] {
  server.senders.dismiss(String(name));
  return [{}];
}

function dropSlot({ server, values: [name] }: Statement): readonly Row[] {
  const { slots } = server.postgres.disk;
  if (server.senders.of(String(name)) === undefined) slots.delete(String(name));
  return [{}];
}

function advanceSlot({ server, values: [name, lsn] }: Statement): readonly Row[] {
  const slot = server.postgres.disk.slots.get(String(name));
  if (slot === undefined || slot.confirmed === null) return [];
  if (server.senders.of(slot.name) !== undefined) throw new SqlError('55006', `slot ${slot.name} is active`);
  slot.confirmed = Math.max(slot.confirmed, lsnNumber(String(lsn)));
  slot.kept = slot.confirmed;
  return [{}];
}

function moveFacts({ server }: Statement): readonly Row[] {
  demandPrimary(server);
  const { tables, launcher, senders, postgres } = server;
  const { moves } = tables;
  const subscriptions = [...moves.subscriptions.values()].map(({ name, enabled }) => {
    const worker = launcher.workerOf(name);
    const received = worker?.receivedLsn ?? null;
    return {
      name,
      enabled,
      applies: worker !== undefined,
      receivedLsn: received === null ? null : lsnText(received),
      errors: launcher.errors.get(name) ?? 0,
      tables: { total: TABLES, ready: moves.origins.has(name) ? TABLES : 0 },
      copying: [],
    };
  });
  const slots = [...postgres.disk.slots.values()].map(({ name, confirmed, lost }) => {
    const sender = senders.of(name);
    const standing = sender === undefined ? 'made' : 'active';
    return {
      name,
      state: lost ? 'lost' : confirmed === null ? 'absent' : standing,
      activePid: sender?.pid ?? null,
      confirmedLsn: confirmed === null ? null : lsnText(confirmed),
      retainedBytes: String(postgres.endLsn - (confirmed ?? postgres.endLsn)),
    };
  });
  const publications = [...moves.publications.keys()];
  return [{ flushedLsn: lsnText(postgres.endLsn), subscriptions, publications, slots }];
}

function heads({ server: { tables }, values: [shards] }: Statement): readonly Row[] {
  return (shards as readonly number[])
    .toSorted((a, b) => a - b)
    .flatMap((shard) => {
      const position = tables.heads.get(shard);
      if (position === undefined) return [];
      return [{ shard, position: String(position), marker: tables.moves.markers.get(shard) ?? null }];
    });
}

function wiped({ server: { tables }, values: [operation, attempt, shards] }: Statement): readonly Row[] {
  const done = (shards as readonly number[]).every((shard) => {
    const row = tables.moves.arrivals.get(shard);
    return row?.operation === operation && row?.attempt === attempt && row?.wiped === true;
  });
  return [{ wiped: done }];
}
