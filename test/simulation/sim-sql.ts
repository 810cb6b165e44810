/** The statements that an agent sends to its own Postgres, by their text; one that isn't known is a fault of the simulation. */
import { FenceState } from '../../src/domain/sqlstate.ts';
import { extend, grant } from './fence.ts';
import type { SimServer } from './sim-server.ts';
import { readHeads, writeBeat } from './sim-beat-sql.ts';
import { lineage, progress } from './sim-progress-sql.ts';
import { SqlError } from './sql-error.ts';
import { isNamed } from './walsenders.ts';
import { type AdoptedShard, lsnText, timelineHex } from './wal.ts';

export type Row = Readonly<Record<string, unknown>>;

export interface Statement {
  readonly server: SimServer;
  readonly values: readonly unknown[];
  readonly waits: boolean;
  readonly text: string;
  /** Of the session. */
  readonly pid: number;
}

/** Whose arguments are in the text, because they are simple queries. */
const UNPREPARED: readonly (readonly [marks: string, Handler])[] = [
  ['capstan.read_heads(', readHeads],
  ['capstan.beat(', writeBeat],
];

type Handler = (statement: Statement) => readonly Row[] | Promise<readonly Row[]>;

const ADOPT_LOCK_MS = 5_000;

const HANDLERS: readonly (readonly [marks: string, Handler])[] = [
  [`where sync_names <> ''`, leaseDemandsFollowers],
  ['from capstan.lineage', lineage],
  ['as replayed_until', progress],
  ['from capstan.cluster_state', clusterState],
  ['as replayed, pg_last_wal_receive_lsn', standbyPosition],
  [
    'pg_ls_waldir()',
    ({ server, values: [segment] }) => [{ name: `${timelineHex(server.postgres.disk)}${String(segment)}` }],
  ],
  [`current_setting('primary_conninfo') = ''`, receivesNothing],
  ['to_regclass', () => [{ there: true }]],
  ['from capstan.shard_head', ({ server }) => headRows(server)],
  [
    'pg_wal_replay_resume()',
    ({ server }) => done(() => server.mode === 'recovering' && server.resumeReplay()),
  ],
  ['pg_wal_replay_pause()', ({ server }) => done(() => server.pauseReplay())],
  ['pg_get_wal_replay_pause_state()', pauseState],
  ['pg_promote(', ({ server }) => done(() => server.promote())],
  ['pg_read_file(', ({ server }) => [{ content: historyText(server) }]],
  ['as wal_file', beat],
  ['pg_walfile_name(', ({ server }) => [{ file: `${timelineHex(server.postgres.disk)}${'0'.repeat(16)}` }]],
  ['as system_identifier', ({ server }) => [{ system_identifier: server.postgres.disk.system }]],
  [
    'system_identifier::text from pg_control_system',
    ({ server }) => [{ system_identifier: server.postgres.disk.system }],
  ],
  ['pg_current_wal_flush_lsn()::text as lsn', ({ server }) => [{ lsn: lsnText(server.postgres.endLsn) }]],
  [
    'pg_terminate_backend(pid) from pg_stat_replication',
    ({ server, values: [names] }) => done(() => server.walsenders.dismissOthers(new Set(names as string[]))),
  ],
  ['from pg_stat_replication', ({ server }) => walsenderRows(server)],
  [
    `current_setting('synchronous_standby_names') as names`,
    ({ server }) => [{ names: server.settings.agents }],
  ],
  ['as busy from pg_stat_activity', ({ server }) => [{ busy: server.busy + server.probes.size }]],
  ['pg_backend_pid()', ({ pid }) => [{ pid }]],
  [
    `wait_event = 'SyncRep'`,
    ({ server, values: [pid] }) => (server.probes.get(Number(pid)) === true ? [{}] : []),
  ],
  ['pg_logical_emit_message(', emitMessage],
  ['capstan.grant_lease(', grantLease],
  ['capstan.extend_lease(', extendLease],
  ['capstan.close_admission(', closeAdmission],
  ['capstan.adopt_term(', adoptTerm],
  ['checkpoint', () => []],
  ['set statement_timeout', () => []],
];

const found = new Map<string, Handler>();

export function handlerOf(text: string): Handler {
  const known = found.get(text);
  if (known !== undefined) return known;
  const unprepared = UNPREPARED.find(([marks]) => text.includes(marks))?.[1];
  if (unprepared !== undefined) return unprepared;
  const handler = HANDLERS.find(([marks]) => text.includes(marks))?.[1];
  if (handler === undefined) throw new Error(`the simulated Postgres knows no such statement: ${text}`);
  found.set(text, handler);
  return handler;
}

function done(act: () => unknown): readonly Row[] {
  act();
  return [{}];
}

const headRows = ({ tables }: SimServer): readonly Row[] =>
  [...tables.heads]
    .toSorted(([a], [b]) => a - b)
    .map(([shard, position]) => ({ shard, position: String(position) }));

const historyText = ({ postgres }: SimServer): string =>
  postgres.disk.history
    .map(({ parent, switchLsn }) => `${parent}\t${lsnText(switchLsn)}\tpromoted`)
    .join('\n');

function clusterState({ server }: Statement): readonly Row[] {
  const { state } = server.tables;
  if (state === undefined) return [];
  const { cluster, epoch, term, incarnation } = state;
  return [{ cluster, epoch, term, estateIncarnation: incarnation }];
}

function standbyPosition({ server }: Statement): readonly Row[] {
  const { postgres, replayed, receiver } = server;
  return [
    {
      replayed: lsnText(postgres.disk.wal[replayed - 1]?.lsn ?? 0),
      received: receiver.received ? lsnText(postgres.endLsn) : null,
      system_identifier: postgres.disk.system,
      segment_bytes: String(16 * 1024 * 1024),
      checkpoint_timeline: 1,
    },
  ];
}

function receivesNothing({ server }: Statement): readonly Row[] {
  const blind = server.postgres.environment.planted === 'freezes-while-receiving';
  return [{ still: blind || (server.settings.shownSource === '' && !server.receiver.present) }];
}

function pauseState({ server }: Statement): readonly Row[] {
  const blind = server.postgres.environment.planted === 'freezes-while-receiving';
  const { replayPause } = server;
  const states = { no: 'not paused', asked: 'pause requested', paused: 'paused' } as const;
  return [{ state: blind ? 'paused' : states[replayPause] }];
}

function walsenderRows({ walsenders }: SimServer): readonly Row[] {
  return walsenders.rows.map((row) => ({
    application_name: row.name,
    state: row.flushedLsn === null ? 'startup' : 'streaming',
    sync_state: isNamed(row) ? 'quorum' : 'async',
    sync_priority: isNamed(row) ? 1 : 0,
    flush_lsn: row.flushedLsn === null ? null : lsnText(row.flushedLsn),
    replay_lsn: row.replayedLsn === null ? null : lsnText(row.replayedLsn),
    reply_mark: `${row.pid}/${row.replies}`,
  }));
}

function beat({ server }: Statement): readonly Row[] {
  const { postgres, replayed, mode, settings } = server;
  const recovering = mode !== 'primary';
  const end = lsnText(postgres.endLsn);
  return [
    {
      recovering,
      received: recovering ? end : null,
      replayed: recovering ? lsnText(postgres.disk.wal[replayed - 1]?.lsn ?? 0) : null,
      flushed: end,
      wal_file: recovering ? null : `${timelineHex(server.postgres.disk)}${'0'.repeat(16)}`,
      received_timeline: recovering ? postgres.disk.timeline : null,
      checkpoint_timeline: 1,
      names: settings.agents,
    },
  ];
}

async function emitMessage({ server, waits, pid }: Statement): Promise<readonly Row[]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.append([{ kind: 'nothing', why: 'barrier' }], (lsn) => {
    if (!waits) resolve();
    else {
      server.probes.set(pid, true);
      server.waitForFollowers(lsn, () => {
        server.probes.delete(pid);
        resolve();
      });
    }
  });
  await promise;
  return [];
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const millis = (value: unknown): number => Date.parse(String(value));

function demandLeader(server: SimServer): void {
  if (server.mode !== 'primary') throw new SqlError(FenceState.notLeader, 'this member follows');
}

function grantLease({ server, values }: Statement): readonly Row[] {
  demandLeader(server);
  const [cluster, epoch, term, leader, grantId, expiresAt, uptime, rpoUntil, admission, reason, names] =
    values;
  const late = countedFromReply(server);
  const row = grant(
    { ...server.fenceInputs, names: server.settings.agents },
    {
      cluster: String(cluster),
      epoch: Number(epoch),
      term: Number(term),
      leader: String(leader),
      grantId: String(grantId),
      expiresAt: late?.expiresAt ?? millis(expiresAt),
      expiresUptimeMs: late?.expiresUptimeMs ?? Number(uptime),
      rpoUntil: rpoUntil === null ? null : millis(rpoUntil),
      admission: admission === 'open' ? 'open' : 'closed',
      admissionReason: textOrNull(reason),
      syncNames: String(names),
    },
  );
  if (typeof row === 'string') throw new SqlError(row, 'the lease is not granted');
  server.postgres.disk.lease = row;
  return [{}];
}

/** Planted: a keeper that counts from the reply instead of from before it was sent. */
function countedFromReply({ postgres }: SimServer) {
  const { environment, host } = postgres;
  if (environment.planted !== 'counts-from-the-reply') return undefined;
  return { expiresAt: host.wallMs() + 2_600, expiresUptimeMs: host.bootMs() + 2_600 };
}

function extendLease({ server, values }: Statement): readonly Row[] {
  demandLeader(server);
  const [grantId, expiresAt, uptime, rpoUntil] = values;
  const { postgres, fenceInputs } = server;
  const late = countedFromReply(server);
  const row = extend(fenceInputs, {
    grantId: String(grantId),
    expiresAt: late?.expiresAt ?? millis(expiresAt),
    expiresUptimeMs: late?.expiresUptimeMs ?? Number(uptime),
    rpoUntil: rpoUntil === null ? null : millis(rpoUntil),
  });
  if (typeof row === 'string') return [{ extension: row }];
  postgres.disk.lease = row;
  return [{ extension: 'extended' }];
}

function leaseDemandsFollowers({ server }: Statement): readonly Row[] {
  const { lease } = server.postgres.disk;
  const demands = lease !== undefined && lease.syncNames !== '';
  return demands && lease.serverStarted === server.fenceInputs.serverStarted ? [{}] : [];
}

function closeAdmission({ server, values: [reason] }: Statement): readonly Row[] {
  demandLeader(server);
  const { disk } = server.postgres;
  if (disk.lease === undefined) return [{ found: false }];
  disk.lease = { ...disk.lease, admission: 'closed', admissionReason: String(reason) };
  return [{ found: true }];
}

async function adoptTerm({ server, values }: Statement): Promise<readonly Row[]> {
  demandLeader(server);
  const [cluster, epoch, term, reason, shardsText, incarnation] = values;
  const { state, heads } = server.tables;
  if (state !== undefined) {
    if (state.cluster !== cluster) throw new SqlError(FenceState.wrongCluster, 'another cluster');
    if (incarnation !== null && state.incarnation !== null && state.incarnation !== incarnation)
      throw new SqlError(FenceState.wrongCluster, 'another estate');
    if (state.epoch > Number(epoch)) throw new SqlError(FenceState.staleEpoch, 'a later epoch was seen');
    if (state.term > Number(term)) throw new SqlError(FenceState.staleTerm, 'a later term was seen');
  }
  const shards = JSON.parse(String(shardsText)) as readonly AdoptedShard[];
  const drained = state?.term === Number(term) ? [] : [...heads.keys()].toSorted((a, b) => a - b);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.locks.takeAll(
    drained,
    ADOPT_LOCK_MS,
    () => {
      const change = {
        kind: 'adopt',
        cluster: String(cluster),
        epoch: Number(epoch),
        term: Number(term),
        reason: String(reason),
        incarnation: textOrNull(incarnation),
        shards,
      } as const;
      server.append([change], (_, records) => {
        for (const record of records) server.tables.apply(record);
        for (const shard of drained) server.locks.free(shard);
        resolve();
      });
    },
    () => reject(new SqlError('55P03', 'a head is locked')),
  );
  await promise;
  return [{ answer: { heads_made: 0, authority_changed: 0, moved: 0, lineage_written: 0 } }];
}
