import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { DEFAULT_SHARD_COUNT, shardOf } from '../../src/domain/shard.ts';
import { decide } from '../../src/reservations/client.ts';
import type { Scope } from '../../src/reservations/types.ts';
import { type Desks, openDesks } from '../support/desk-client.ts';
import { connectDirectly, DirectLoop, endQuietly, outcomeOf } from '../support/direct.ts';
import { failOver, must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { report, sized } from '../support/proof.ts';
import { clusterState, freshIssuers, postgresUrl, readShards, verdict } from '../support/read-back.ts';
import { reserve } from '../support/reservation-commands.ts';
import { startSandbox, type TestSandbox } from '../support/sandbox.ts';

/** Direct connections that commit in a loop all along. */
const LOOPS = sized({ full: 8, quick: 1 });
const TIMEOUT_MS = 120_000;
const DEADLINE_MS = 5_000;

let sandbox: TestSandbox;
let desks: Desks;
const opened: Client[] = [];
const loops: DirectLoop[] = [];

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());
beforeEach(() => {
  desks = openDesks(sandbox, new History());
});
afterEach(async () => {
  await Promise.all(loops.splice(0).map((loop) => loop.stop()));
  await Promise.all(opened.splice(0).map(endQuietly));
  await desks.close();
});

const eventually = <T>(check: () => Promise<T> | T) => vi.waitFor(check, { timeout: 40_000, interval: 100 });

async function connect(member: string, role: 'gateway' | 'app' = 'gateway'): Promise<Client> {
  const client = await connectDirectly(postgresUrl(sandbox, member, role));
  opened.push(client);
  return client;
}

/** The authority as a client believes in it who never looks again. */
async function scopesOf(
  cluster: string,
  issuers: readonly string[],
): Promise<{ leader: string; scopes: Scope[] }> {
  const { leader, term, epoch } = await clusterState(sandbox, cluster);
  if (leader === null || term === null || epoch === null) throw new Error(`${cluster} has no leader`);
  const scopes = issuers.map((issuer) => ({
    cluster,
    epoch,
    shard: shardOf(issuer, DEFAULT_SHARD_COUNT),
    generation: 1,
    term,
  }));
  return { leader, scopes };
}

async function startLoops(cluster: string, name: string) {
  const issuers = await freshIssuers(desks, { cluster, count: LOOPS, limit: '1000000', prefix: name });
  const { leader, scopes } = await scopesOf(cluster, issuers);
  for (const [index, scope] of scopes.entries()) {
    const client = await connect(leader);
    loops.push(new DirectLoop({ client, scope, issuer: issuers[index] ?? '', name: `${name}-${index}` }));
  }
  await eventually(() => {
    for (const loop of loops) expect(loop.confirmed.length).toBeGreaterThan(2);
  });
  return { leader, scopes, issuers, running: [...loops] };
}

/** Everything that a direct loop was told is in the log of the cluster's present leader, where it was said to be. */
async function expectAllFound(cluster: string, scopes: readonly Scope[], running: readonly DirectLoop[]) {
  const { leader } = await clusterState(sandbox, cluster);
  const told = running.map(({ confirmed }) => [...confirmed]);
  const facts = await readShards(
    postgresUrl(sandbox, String(leader), 'reader'),
    scopes.map(({ shard }) => shard),
  );
  let found = 0;
  for (const [index, confirmed] of told.entries()) {
    const shard = facts[index];
    const positions = new Map(shard?.tokens.map((row) => [row.token, String(row.position)]));
    for (const { token, position } of confirmed) {
      expect({ token, position: positions.get(token) }).toEqual({ token, position });
      found += 1;
    }
    expect(shard?.log.map(({ position }) => position)).toEqual(shard?.log.map((_, at) => BigInt(at + 1)));
  }
  return found;
}

const confirmedAfter = (running: readonly DirectLoop[], moment: number) =>
  running.flatMap((loop) =>
    loop.attempts.filter(({ result, answeredAt }) => result === 'confirmed' && answeredAt > moment),
  );

test(
  'a region cut off from etcd lapses within its lease, and decides again by itself',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const { leader, scopes, running } = await startLoops('c2', 'cut');
    const before = await clusterState(sandbox, 'c2');
    await must(sandbox, 'sandbox', 'link', 'cut', 'madrid', 'witness');
    await must(sandbox, 'sandbox', 'link', 'cut', 'madrid', 'new-york');
    const cut = performance.now();
    await eventually(() => {
      for (const { attempts } of running) expect(attempts.at(-1)?.result).toBe('leaseLapsed');
    });
    const lapsedWithinMs = Math.round(performance.now() - cut);
    // 3 s of lease, and what a loaded machine takes to show it.
    expect(lapsedWithinMs).toBeLessThan(8_000);
    const lapsed = performance.now();
    const during = await desks.at('madrid').reserve({ issuer: 'cut-0', notional: '1', token: 'while-cut' });
    expect(during.kind).not.toBe('ok');
    expect(confirmedAfter(running, lapsed)).toEqual([]);
    await must(sandbox, 'sandbox', 'link', 'heal');
    const healed = performance.now();
    await eventually(() => {
      for (const loop of running) expect(confirmedAfter([loop], healed).length).toBeGreaterThan(0);
    });
    const after = await clusterState(sandbox, 'c2');
    expect([after.leader, after.term]).toEqual([leader, before.term]);
    const found = await expectAllFound('c2', scopes, running);
    report(
      context,
      `${LOOPS} direct connections, lapsed within ${lapsedWithinMs} ms of the cut, ${found} confirmed and found`,
    );
  },
);

test(
  'an old leader paused past its lease, failed over and resumed, confirms nothing by any path',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const { leader, scopes, issuers, running } = await startLoops('c1', 'paused');
    const [idle, weak, snapshot, wrapped] = await Promise.all([0, 1, 2, 3].map(() => connect(leader)));
    const guarded = await connect(leader, 'app');
    // The open transaction keeps its shard's head locked: the others ask for an issuer of another shard.
    const [other = '', held = ''] = await freshIssuers(desks, {
      cluster: 'c1',
      count: 2,
      limit: '1000',
      prefix: 'wrapped',
    });
    const [scope, heldScope] = (await scopesOf('c1', [other, held])).scopes;
    if (!idle || !weak || !snapshot || !wrapped || !scope || !heldScope) throw new Error('no connection');
    expect(heldScope.shard).not.toBe(scope.shard);
    const byHand = (token: string, issuer = other, at = scope) =>
      `select capstan.decide(${where(at)}, '${JSON.stringify([reserve(token, 100n, { issuer })])}')`;
    await weak.query('set synchronous_commit = off');
    await snapshot.query('begin isolation level repeatable read; select 1');
    expect(await outcomeOf(wrapped, `begin; ${byHand('wrapped', held, heldScope)}`)).toBe('done');
    await guarded.query(`begin; select capstan.guard(${where(heldScope)})`);

    await must(sandbox, 'sandbox', 'pause', leader);
    const change = await failOver(sandbox, 'c1');
    expect(change.to).not.toBe(leader);
    const decided = performance.now();
    // Postgres alone first: nobody helps it to see that its time is over.
    await must(sandbox, 'sandbox', 'resume', leader, '--only', 'postgres');
    for (let again = 0; again < 5; again += 1) {
      const result = await decide(idle, scope, [reserve(`late-${again}`, 100n, { issuer: other })], {
        deadlineMs: DEADLINE_MS,
      });
      expect(result).toMatchObject({ kind: 'refused', reason: 'leaseLapsed' });
    }
    expect(await outcomeOf(weak, byHand('weak'))).toMatch(/^(leaseLapsed|durabilityWeakened)$/);
    expect(await outcomeOf(snapshot, byHand('snapshot'))).toMatch(/^(transactionShape|lost)$/);
    // Idle for longer than its role may be, Postgres may have ended these sessions by itself.
    expect(await outcomeOf(wrapped, 'commit')).toMatch(/^(leaseLapsed|lost)$/);
    expect(await outcomeOf(guarded, 'commit')).toMatch(/^(leaseLapsed|lost)$/);
    await must(sandbox, 'sandbox', 'resume', leader);
    await eventually(() => memberIs(leader, 'quarantined'));
    // A commit that was under way waited for its follower until its Postgres was shut: that is no confirmation.
    await eventually(() => {
      for (const { attempts } of running) expect(attempts.at(-1)?.result).not.toBe('confirmed');
    });
    expect(confirmedAfter(running, decided)).toEqual([]);

    const found = await expectAllFound('c1', scopes, running);
    const shards = [scope.shard, heldScope.shard];
    for (const facts of await readShards(postgresUrl(sandbox, change.to, 'reader'), shards)) {
      expect(facts.tokens.map(({ token }) => token)).toEqual(['limit']);
    }
    // The new leader refuses the term that they all believe in.
    const stale = await connect(change.to);
    expect(
      await decide(stale, scope, [reserve('stale', 1n, { issuer: other })], { deadlineMs: DEADLINE_MS }),
    ).toMatchObject({
      kind: 'refused',
      reason: 'staleTerm',
    });
    await eventually(async () => {
      expect(
        (await desks.at('madrid').reserve({ issuer: issuers[0] ?? '', notional: '1', token: 'after' }))
          .outcome,
      ).toBe('confirmed');
    });
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(
      context,
      `${LOOPS + 5} connections open all along, ${found} confirmed and found, term ${change.oldTerm} -> ${change.term}`,
    );
  },
);

/** A scope's arguments in a statement written by hand. */
const where = ({ epoch, shard, term }: Scope) => `'c1', ${epoch}, ${shard}, 1, ${term}`;

async function memberIs(member: string, state: string): Promise<void> {
  const { result } = await sandbox.capstan<{ processes: { name: string; memberState: string | null }[] }>([
    'sandbox',
    'status',
  ]);
  expect(result.data.processes.find(({ name }) => name === member)?.memberState).toBe(state);
}

test(
  'an old leader that was failed over stays quarantined after kill -9 and restart, and takes no connection',
  { timeout: TIMEOUT_MS },
  async () => {
    const { leader } = await clusterState(sandbox, 'c1');
    const old = leader === 'c1-new-york-1' ? 'c1-new-york-2' : 'c1-new-york-1';
    await must(sandbox, 'sandbox', 'kill', old);
    await must(sandbox, 'sandbox', 'start', old);
    await eventually(() => memberIs(old, 'quarantined'));
    await expect(connect(old)).rejects.toThrow(/ECONNREFUSED|ETIMEDOUT|timeout|terminated/);
  },
);

test(
  'a leader killed and restarted under its own term is granted anew, with all that it had confirmed',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const { leader, scopes, running, issuers } = await startLoops('c2', 'restarted');
    const before = await clusterState(sandbox, 'c2');
    await must(sandbox, 'sandbox', 'kill', leader);
    await must(sandbox, 'sandbox', 'start', leader);
    await eventually(async () => {
      const answer = await desks
        .at('new-york')
        .reserve({ issuer: issuers[0] ?? '', notional: '1', token: 'again' });
      expect(answer.outcome).toBe('confirmed');
    });
    const after = await clusterState(sandbox, 'c2');
    expect([after.leader, after.term]).toEqual([leader, before.term]);
    const found = await expectAllFound('c2', scopes, running);
    report(context, `${LOOPS} direct connections, ${found} confirmed and found`);
  },
);

test(
  'a leader whose agent is gone while its Postgres runs on confirms nothing after the failover',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const { leader, scopes, running, issuers } = await startLoops('c2', 'alone');
    await must(sandbox, 'sandbox', 'pause', leader, '--only', 'agent');
    await eventually(() => {
      for (const { attempts } of running) expect(attempts.at(-1)?.result).toBe('leaseLapsed');
    });
    const lapsed = performance.now();
    const change = await failOver(sandbox, 'c2');
    await eventually(async () => {
      const answer = await desks
        .at('madrid')
        .reserve({ issuer: issuers[0] ?? '', notional: '1', token: 'alone-after' });
      expect(answer.outcome).toBe('confirmed');
    });
    for (const { attempts } of running) expect(attempts.at(-1)?.result).toBe('leaseLapsed');
    await must(sandbox, 'sandbox', 'resume', leader);
    await eventually(() => memberIs(leader, 'quarantined'));
    expect(confirmedAfter(running, lapsed)).toEqual([]);
    const found = await expectAllFound('c2', scopes, running);
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(
      context,
      `${LOOPS} direct connections, ${found} confirmed and found, term ${change.oldTerm} -> ${change.term}`,
    );
  },
);
