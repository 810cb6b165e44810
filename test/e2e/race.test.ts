import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Desks, openDesks } from '../support/desk-client.ts';
import { startLoad } from '../support/desk-load.ts';
import { failOver, must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { FULL, report, sized } from '../support/proof.ts';
import { clusterOf, clusterState, freshIssuers, verdict } from '../support/read-back.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

/** Both gateways, 32 callers each, at either size: how long they race and how often is what differs. */
const CALLERS = 32;
const ROUNDS = sized({ full: 10, quick: 1 });
const RACE_MS = sized({ full: 8_000, quick: 3_000 });
const PAUSE_MS = sized({ full: 8_000, quick: 4_000 });
const TIMEOUT_MS = sized({ full: 1_500_000, quick: 120_000 });

// `npm test` shows the same promises by the drills races, follower-pause and leader-kill (drills.test.ts).

let sandbox: TestSandbox;
let desks: Desks;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());
beforeEach(() => {
  desks = openDesks(sandbox, new History());
});
afterEach(() => desks.close());

/** Few issuers with little headroom: most callers come too late. */
const issuersFor = async (prefix: string) => [
  ...(await freshIssuers(desks, { cluster: 'c1', count: 3, limit: '900', prefix })),
  ...(await freshIssuers(desks, { cluster: 'c2', count: 1, limit: '900', prefix })),
];
const of = (cluster: string) => desks.history.attempts.filter(({ issuer }) => clusterOf(issuer) === cluster);

test.runIf(FULL)(
  'two gateways with 32 callers each never over-allocate, and all that was confirmed is found',
  { timeout: TIMEOUT_MS },
  async (context) => {
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const issuers = await issuersFor(`race-${seed}`);
      const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed, name: `race-${seed}` });
      await delay(RACE_MS);
      await load.stop();
    }
    expect(await verdict(sandbox, desks)).toEqual([]);
    expect(desks.history.attempts.some(({ outcome }) => outcome === 'confirmed')).toBe(true);
    expect(desks.history.attempts.some(({ outcome }) => outcome === 'rejected')).toBe(true);
    report(context, `${ROUNDS} round(s), 2 x ${CALLERS} callers, ${desks.history.summary()}`);
  },
);

test.runIf(FULL)(
  'while the synchronous follower is paused nothing is reported, and everything resolves when it resumes',
  { timeout: TIMEOUT_MS },
  async (context) => {
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const issuers = await issuersFor(`pause-${seed}`);
      const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed, name: `pause-${seed}` });
      await delay(RACE_MS / 2);
      await must(sandbox, 'sandbox', 'pause', 'c1-new-york-2');
      const paused = performance.now();
      await delay(PAUSE_MS);
      const resuming = performance.now();
      await must(sandbox, 'sandbox', 'resume', 'c1-new-york-2');
      const resumed = performance.now();
      await delay(RACE_MS / 2);
      await load.stop();
      const answered = desks.history.attempts.filter(
        (one) => one.answeredAt > paused && one.answeredAt < resuming,
      );
      const inside = answered.filter((one) => one.kind === 'ok' && one.invokedAt > paused);
      expect(inside.filter(({ issuer }) => clusterOf(issuer) === 'c1')).toEqual([]);
      expect(inside.some(({ issuer }) => clusterOf(issuer) === 'c2')).toBe(true);
      expect(answered.some(({ kind, issuer }) => kind === 'info' && clusterOf(issuer) === 'c1')).toBe(true);
      expect(of('c1').some((one) => one.kind === 'ok' && one.invokedAt > resumed)).toBe(true);
    }
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, `${ROUNDS} round(s), 2 x ${CALLERS} callers, ${desks.history.summary()}`);
  },
);

/** A cluster has one follower to fail over to: each sandbox gives two rounds, one for each cluster. */
test.runIf(FULL)(
  'a leader killed in the middle and failed over loses nothing that was confirmed',
  { timeout: TIMEOUT_MS },
  async (context) => {
    let pauses = '';
    for (let round = 1; round <= ROUNDS; round += 1) {
      const cluster = round % 2 === 1 ? 'c1' : 'c2';
      if (round > 1 && cluster === 'c1') await renewSandbox();
      pauses += ` ${await killLeaderInTheMiddle(cluster, round)}`;
      expect(await verdict(sandbox, desks)).toEqual([]);
      report(context, `seed ${round}: ${desks.history.summary()}`);
    }
    report(context, `${ROUNDS} failover(s), 2 x ${CALLERS} callers, write pauses (ms):${pauses}`);
  },
);

async function killLeaderInTheMiddle(cluster: string, seed: number): Promise<number | null> {
  const before = await clusterState(sandbox, cluster);
  const issuers = await issuersFor(`kill-${seed}`);
  const load = startLoad({ desks, callersPerGateway: CALLERS, issuers, seed, name: `kill-${seed}` });
  await delay(RACE_MS / 2);
  await must(sandbox, 'sandbox', 'kill', String(before.leader));
  const { from, to, oldTerm, term, pauseMs } = await failOver(sandbox, cluster);
  const opened = performance.now();
  await delay(RACE_MS / 2);
  await load.stop();
  expect(to).not.toBe(from);
  expect(term).toBeGreaterThan(oldTerm);
  expect(of(cluster).some((one) => one.kind === 'ok' && one.invokedAt > opened)).toBe(true);
  return pauseMs;
}

async function renewSandbox(): Promise<void> {
  await desks.close();
  await sandbox.down();
  sandbox = await startSandbox();
  desks = openDesks(sandbox, new History());
}
