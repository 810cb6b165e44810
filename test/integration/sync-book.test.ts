/** The in-sync set against a real leader and a real follower; the record's store is a cell whose answers a test can lose. */
import type { Client } from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BARRIER_NAMES, syncNames } from '../../src/agent/follower-name.ts';
import { LocalSession } from '../../src/agent/local-session.ts';
import { SyncBook, type SyncRound, type SyncStanding } from '../../src/agent/sync-book.ts';
import { systemClock } from '../../src/clock/system-clock.ts';
import type { Versioned } from '../../src/controlplane/store.ts';
import type { InSyncRecord, MembershipRecord } from '../../src/domain/records.ts';
import { Member, type TestPostgres, waitUntil } from '../support/postgres-member.ts';

const F = { member: 'f', incarnation: 'ffff' };
const F_NAMES = syncNames([F]);
const DEGRADED: InSyncRecord = { term: 1, epoch: 1, voters: [], required: 0, degraded: true, since: '' };
const WITH_F: InSyncRecord = { ...DEGRADED, voters: [F], required: 1, degraded: false };
const RUN = 'run-1';
const MEMBERSHIP = {
  epoch: 1,
  members: { l: { region: 'r', role: 'voter' }, f: { region: 'r', role: 'voter' } },
} as const;

type Seen = Versioned<InSyncRecord>;
type Write = SyncRound['record'];

let leader: Member;
let follower: Member;
let watch: Client;
let book: SyncBook;
let stored: Seen;
let written: string[];
/** What the book was told, or did, in its order. */
let events: string[];
let demanded: boolean;
const OVER_AFTER_MS = 400;

beforeEach(async () => {
  leader = await Member.create({});
  await leader.start();
  watch = await leader.connect('superuser');
  follower = await Member.create({
    follow: leader,
    settings: {
      primary_conninfo: `host=${leader.host} port=${leader.port} user=capstan_replication password=${leader.passwordOf('replication')} application_name=f_ffff`,
      // As an agent sets it: an idle follower answers at this pace.
      wal_receiver_status_interval: '1s',
    },
  });
  stored = { value: DEGRADED, revision: '99' };
  written = [];
  events = [];
  demanded = false;
  book = newBook(leader);
});
afterEach(async () => {
  await book.close();
  await follower.stop();
  await leader.stop();
});

const silent = () => undefined;
let silentSince = 0;
const neverArrives: Write = () => Promise.reject(new Error('no answer'));

function newBook(on: TestPostgres, onNames: (names: string) => void = silent): SyncBook {
  const session = () => new LocalSession({ open: () => on.connect('superuser'), timeoutMs: 5_000 });
  return new SyncBook({
    session: session(),
    probe: session,
    writeNames: async (names) => {
      written.push(names);
      events.push(`names ${names}`);
      await on.configure({ synchronous_standby_names: names });
      onNames(names);
    },
    demandsFollowers: () => Promise.resolve(demanded),
    silence: () => {
      events.push('silence');
      silentSince = performance.now();
      return Promise.resolve();
    },
    deadlinesOverAfterMs: OVER_AFTER_MS,
    logger: { info: silent, warn: silent, error: silent, debug: silent },
    clock: systemClock,
  });
}

const writeOver =
  (seen: Seen): Write =>
  async (next) => {
    if (stored.revision !== seen.revision) return undefined;
    stored = { value: { ...DEGRADED, ...next }, revision: String(Number(seen.revision) + 1) };
    events.push(next.degraded ? 'record degraded' : 'record');
    return stored.revision;
  };

const tick = (
  seen: Seen,
  record: Write = writeOver(seen),
  membership: MembershipRecord = MEMBERSHIP,
): Promise<SyncStanding> =>
  book.tick({
    input: { leader: 'l', membership, registered: { f: 'ffff' }, record: seen.value },
    recordRevision: seen.revision,
    serverRun: RUN,
    signal: new AbortController().signal,
    record,
  });

const stands = (names: string) => book.stands({ names, serverRun: RUN });

async function leadAlone(): Promise<void> {
  expect(await tick(stored)).toMatchObject({ kind: 'not-yet' });
  expect(await tick(stored)).toMatchObject({ kind: 'agreed', names: '' });
  expect(stands('')).toBe(true);
}

async function startFollower(): Promise<void> {
  await follower.start();
  await waitUntil('the follower is near', async () => {
    const { rows } = await watch.query(
      `select 1 from pg_stat_replication where state = 'streaming' and flush_lsn = pg_current_wal_flush_lsn()`,
    );
    return rows.length === 1;
  });
}

/** Stops the follower and leaves a commit waiting for it. */
async function loseFollower(): Promise<() => boolean> {
  await follower.server.stop('immediate');
  await waitUntil('the walsender has gone', async () => {
    const { rows } = await watch.query('select 1 from pg_stat_replication');
    return rows.length === 0;
  });
  return waitingCommit();
}

/** A client's commit that no follower lets go yet. Answers whether it was released meanwhile. */
async function waitingCommit(): Promise<() => boolean> {
  let released = false;
  const client = await leader.connect('superuser');
  client.query(`select pg_logical_emit_message(true, 'test', 'x')`).then(
    () => (released = true),
    () => undefined,
  );
  await waitUntil('a commit waits', commitsWait);
  return () => released;
}

async function commitsWait(): Promise<boolean> {
  const { rows } = await watch.query(`select 1 from pg_stat_activity where wait_event = 'SyncRep'`);
  return rows.length > 0;
}

test('while one voter was cloned anew and another is dropped, nothing is released before the new set is recorded', async () => {
  const before = [
    { ...F, incarnation: 'oooo' },
    { member: 'g', incarnation: 'gggg' },
  ];
  stored = { value: { ...WITH_F, voters: before, required: 2 }, revision: '99' };
  await leader.configure({ synchronous_standby_names: syncNames(before) });
  await startFollower();
  const released = await waitingCommit();
  expect(await tick(stored)).toMatchObject({ kind: 'not-yet' });
  const seen = stored;
  const atTheRecord: Write = async (next) => {
    const { rows } = await watch.query<{ names: string }>(
      `select current_setting('synchronous_standby_names') as names`,
    );
    events.push(`in force ${rows[0]?.names}`, `waits ${String(await commitsWait())} ${String(released())}`);
    return writeOver(seen)(next);
  };
  events = [];
  expect(await tick(seen, atTheRecord)).toMatchObject({ kind: 'agreed', names: F_NAMES });
  expect(events).toEqual([
    `names ${BARRIER_NAMES}`,
    `in force ${BARRIER_NAMES}`,
    'waits true false',
    'record',
    `names ${F_NAMES}`,
  ]);
  expect(stored.value).toEqual(WITH_F);
  await waitUntil('the commit is released by the new set', released);
});

test('a view older than the record written here relaxes nothing', async () => {
  await leadAlone();
  await startFollower();
  const stale = stored;
  expect(await tick(stale)).toMatchObject({ kind: 'agreed', names: F_NAMES });
  expect(stored.value).toEqual(WITH_F);
  const released = await loseFollower();
  written = [];
  for (let round = 0; round < 3; round += 1) expect(await tick(stale)).toMatchObject({ kind: 'not-yet' });
  expect(written).toEqual([]);
  expect(released()).toBe(false);
  expect(await tick(stored)).toMatchObject({ kind: 'agreed', names: F_NAMES });
  expect(released()).toBe(false);
  await follower.start();
  await waitUntil('the commit is released by the follower', released);
});

test('after a lost reply nothing is relaxed or granted until the record is known again', async () => {
  await leadAlone();
  await startFollower();
  const stale = stored;
  const landsUnheard: Write = async (next) => {
    await writeOver(stale)(next);
    throw new Error('no answer');
  };
  await expect(tick(stale, landsUnheard)).rejects.toThrow('no answer');
  expect(stored.value).toEqual(WITH_F);
  const released = await loseFollower();
  written = [];
  for (let round = 0; round < 3; round += 1) expect(await tick(stale)).toMatchObject({ kind: 'not-yet' });
  expect([stands(''), stands(F_NAMES)]).toEqual([false, false]);
  expect(written).toEqual([]);
  expect(released()).toBe(false);
  expect(await tick(stored)).toMatchObject({ kind: 'not-yet' });
  expect(await tick(stored)).toMatchObject({ kind: 'agreed', names: F_NAMES });
  expect(stands(F_NAMES)).toBe(true);
  expect(stored.value).toEqual(WITH_F);
});

test('a write that lands late, of this agent or a former one, finds the record moved on', async () => {
  const former = writeOver(stored);
  await leadAlone();
  expect(await former(WITH_F)).toBeUndefined();
  await startFollower();
  const late = writeOver(stored);
  await expect(tick(stored, neverArrives)).rejects.toThrow('no answer');
  await follower.server.stop('immediate');
  await waitUntil('the walsender has gone', async () => {
    const { rows } = await watch.query('select 1 from pg_stat_replication');
    return rows.length === 0;
  });
  expect(await tick(stored)).toMatchObject({ kind: 'not-yet' });
  expect(await late(WITH_F)).toBeUndefined();
  expect(await tick(stored)).toMatchObject({ kind: 'agreed', names: '' });
  expect(stored.value).toEqual(DEGRADED);
});

const ALONE: MembershipRecord = { epoch: 2, members: { l: { region: 'r', role: 'voter' } } };
const tickAlone = () => tick(stored, writeOver(stored), ALONE);

/** The follower is recorded, in force and gone, and a commit waits for it. */
async function waitForLostFollower(): Promise<() => boolean> {
  await leadAlone();
  await startFollower();
  expect(await tick(stored)).toMatchObject({ kind: 'agreed', names: F_NAMES });
  demanded = true;
  const released = await loseFollower();
  events = [];
  return released;
}

test('the last voter’s names go after record and silence, once every issued deadline is over', async () => {
  const released = await waitForLostFollower();
  expect(await tickAlone()).toMatchObject({ kind: 'not-yet' });
  expect(stored.value.degraded).toBe(true);
  let standing = await tickAlone();
  while (standing.kind === 'not-yet') {
    expect(released()).toBe(false);
    standing = await tickAlone();
  }
  expect(performance.now() - silentSince).toBeGreaterThanOrEqual(OVER_AFTER_MS);
  expect(standing).toMatchObject({ names: '', record: { degraded: true, voters: [] } });
  expect(events).toEqual(['record degraded', 'silence', 'names ANY 1 ("capstan_barrier")', 'names ']);
  await waitUntil('the commit is released', released);
});

test('an agent that finds the record degraded and a lease that demands followers waits in full again', async () => {
  const released = await waitForLostFollower();
  await tickAlone();
  await book.close();
  book = newBook(leader);
  expect(await tickAlone()).toMatchObject({ kind: 'not-yet' });
  expect(await tickAlone()).toMatchObject({ kind: 'not-yet' });
  expect(events.at(-1)).toBe('silence');
  expect(released()).toBe(false);
  await waitUntil('degraded', async () => (await tickAlone()).kind === 'agreed');
  expect(performance.now() - silentSince).toBeGreaterThanOrEqual(OVER_AFTER_MS);
});

test('a grant that lands between the look and the barrier is waited out too', async () => {
  const released = await waitForLostFollower();
  await tickAlone();
  demanded = false;
  await book.close();
  book = newBook(leader, (names) => {
    if (names !== '') demanded = true;
  });
  expect(await tickAlone()).toMatchObject({ kind: 'not-yet' });
  await expect(tickAlone()).rejects.toThrow('a late grant');
  expect(await tickAlone()).toMatchObject({ kind: 'not-yet' });
  expect(events.at(-1)).toBe('silence');
  expect(released()).toBe(false);
});

test('an impostor who answers beside the voter, under its name, ends admission until it has gone', async () => {
  await leadAlone();
  await startFollower();
  expect(await tick(stored)).toMatchObject({ kind: 'agreed', names: F_NAMES });
  const impostor = await Member.create({
    follow: leader,
    settings: {
      primary_conninfo: `host=${leader.host} port=${leader.port} user=capstan_replication password=${leader.passwordOf('replication')} application_name=f_ffff`,
      wal_receiver_status_interval: '1s',
    },
  });
  try {
    await impostor.start();
    await waitUntil('it is noticed', async () => (await tick(stored)).kind === 'not-yet');
    expect(events.at(-1)).toBe('silence');
    expect(stored.value).toEqual(WITH_F);
  } finally {
    await impostor.stop();
  }
  await waitUntil('the voter alone is believed', async () => (await tick(stored)).kind === 'agreed');
});
