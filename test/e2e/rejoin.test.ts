import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LossShowData, LossReplayData } from '../../src/cli/schemas/loss.ts';
import type { MemberRejoinData } from '../../src/cli/schemas/rejoin.ts';
import type { TokenResolutionData } from '../../src/cli/schemas/token.ts';
import { loadEstateConfig } from '../../src/config/estate-config.ts';
import { Keys } from '../../src/controlplane/keys.ts';
import { Transaction } from '../../src/controlplane/store.ts';
import { ExitCode } from '../../src/domain/errors.ts';
import { DEFAULT_SHARD_COUNT, shardOf } from '../../src/domain/shard.ts';
import { etcdFromConfig } from '../../src/etcd/from-config.ts';
import { bodyHash } from '../../src/reservations/hash.ts';
import { openDesks } from '../support/desk-client.ts';
import { eventually } from '../support/etcd.ts';
import { failOver, must } from '../support/fail-over.ts';
import { History } from '../support/history.ts';
import { lossRecord, lostDecision } from '../support/losses.ts';
import { clusterState, freshIssuers } from '../support/read-back.ts';
import { startSandbox, testStateDir, type TestSandbox } from '../support/sandbox.ts';

interface Operations {
  readonly operations: readonly { readonly id: string }[];
}

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());

const stateOf = async (member: string) =>
  (await clusterState(sandbox, 'c1')).members.find(({ name }) => name === member)?.state;

test('after a failover the old leader rejoins by one command, and repeating it changes nothing', async () => {
  const { leader } = await clusterState(sandbox, 'c1');
  if (leader === null) throw new Error('c1 has no leader');
  await must(sandbox, 'sandbox', 'kill', leader);
  await failOver(sandbox, 'c1');
  const refused = await sandbox.capstan(['member', 'rejoin', leader, '--confirm=c1']);
  expect(refused.result.ok).toBe(false);
  await must(sandbox, 'sandbox', 'start', leader);
  await eventually(
    'it is quarantined',
    async () => ((await stateOf(leader)) === 'quarantined' ? true : undefined),
    60_000,
  );

  const plan = await sandbox.capstan<MemberRejoinData>(['member', 'rejoin', leader, '--dry-run']);
  expect(plan.result).toMatchObject({
    ok: true,
    data: { changed: false, dryRun: true, plan: { member: leader, becomes: 'voter', losses: [] } },
  });
  const unnamed = await sandbox.capstan(['member', 'rejoin', leader, `--confirm=${leader}`]);
  expect(unnamed.result.error?.code).toBe('confirmation_mismatch');
  await eventually(
    'it has rejoined',
    async () => {
      const { result } = await sandbox.capstan<MemberRejoinData>([
        'member',
        'rejoin',
        leader,
        '--confirm=c1',
      ]);
      if (result.ok) return result.data;
      const { operations } = (await sandbox.capstan<Operations>(['operation', 'list', '--unfinished'])).result
        .data;
      for (const { id } of operations) await sandbox.capstan(['operation', 'resume', id]);
      return undefined;
    },
    120_000,
  );
  const again = await sandbox.capstan<MemberRejoinData>(['member', 'rejoin', leader, '--confirm=c1']);
  expect(again.result).toMatchObject({ ok: true, data: { changed: false, plan: { done: true } } });
  expect(await stateOf(leader)).toBe('following');
  expect((await sandbox.capstan(['loss', 'list'])).result).toMatchObject({ ok: true, data: { losses: [] } });
}, 300_000);

/** As an operator does it: a command that had no answer of etcd in its time, as on a busy machine, is run again. */
const ask = <T>(...args: readonly string[]) =>
  eventually(
    `${args.join(' ')} reaches etcd`,
    async () => {
      const { result } = await sandbox.capstan<T>(args);
      return result.error?.exit === ExitCode.unreachable ? undefined : result;
    },
    60_000,
  );

/** The record is as a regional failover leaves it once its members are salvaged. */
test('what a failover lost is shown, signed off, named to who asks, and sent again once', async () => {
  const desks = openDesks(sandbox, new History());
  const [issuer] = await freshIssuers(desks, { cluster: 'c1', count: 1, limit: '50.00', prefix: 'LOSS' });
  await desks.close();
  if (issuer === undefined) throw new Error('no issuer');
  const shard = shardOf(issuer, DEFAULT_SHARD_COUNT);
  const entry = lostDecision({
    shard,
    position: '900',
    issuer,
    token: 'lost-1',
    amount: '500',
    maybeAcknowledged: true,
    hash: bodyHash({ issuer, desk: 'desk-1', body: { kind: 'reserve', notional: 500n, reservation: 'R-1' } }),
  });
  const config = await loadEstateConfig(sandbox.environment.config);
  const keys = new Keys(config.estate);
  const etcd = await etcdFromConfig(config);
  const record = lossRecord({
    operation: 'failover-x',
    positions: { [shard]: '0' },
    members: { a: { state: 'salvaged', incarnation: 'a-1', found: 1, waived: null } },
  });
  try {
    // The same records may be put twice, so a busy machine has longer for it than etcd's own bound on a request.
    await new Transaction(etcd)
      .put(keys.loss('c1', record.operation), record)
      .put(`${keys.salvageChunks(record.operation, 'a')}000000`, { entries: [entry] })
      .commit({ repeatable: true, timeoutMs: 30_000 });
  } finally {
    etcd.close();
  }
  const resolve = () => ask<TokenResolutionData>('token', 'resolve', 'lost-1', '--issuer', issuer);
  const shown = await ask<LossShowData>('loss', 'show', 'failover-x');
  expect(shown).toMatchObject({
    error: null,
    data: { final: false, entries: [{ token: 'lost-1', amount: '5.00' }] },
  });
  expect(await resolve()).toMatchObject({
    error: { code: 'token_unknown' },
    data: { detail: expect.stringContaining('failover-x, whose loss is not signed off') as string },
  });
  const early = await ask('loss', 'replay', 'failover-x', '--confirm=c1');
  expect(early.error?.code).toBe('loss_open');

  const file = join(testStateDir(), 'lost.json');
  const sign = [
    'loss',
    'sign-off',
    'failover-x',
    '--reason',
    'told the desks',
    '--confirm=c1',
    '--file',
    file,
  ];
  expect(await ask(...sign)).toMatchObject({
    error: null,
    data: { changed: true, loss: { lost: 1 } },
  });
  expect(await ask(...sign)).toMatchObject({ error: null, data: { changed: false } });
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ entries: [{ token: 'lost-1' }] });
  await rm(file);
  expect(await resolve()).toMatchObject({
    error: null,
    data: {
      status: 'lost',
      lost: { operation: 'failover-x', commitToken: `shard${shard}@900~1.1`, maybeAcknowledged: true },
    },
  });

  const replay = ['loss', 'replay', 'failover-x', '--token', 'lost-1', '--confirm=c1'];
  const first = await ask<LossReplayData>(...replay);
  expect(first).toMatchObject({
    error: null,
    data: { changed: true, outcomes: [{ now: 'confirmed', replayed: false }] },
  });
  const second = await ask<LossReplayData>(...replay);
  expect(second).toMatchObject({
    error: null,
    data: { changed: false, outcomes: [{ now: 'confirmed', replayed: true }] },
  });
  expect(second.data.outcomes[0]?.commitToken).toBe(first.data.outcomes[0]?.commitToken);
  expect(await resolve()).toMatchObject({ error: null, data: { status: 'confirmed', lost: null } });
  const unknown = await ask('loss', 'replay', 'failover-x', '--token', 'nobody', '--confirm=c1');
  expect(unknown.error?.code).toBe('loss_token_unknown');
}, 300_000);
