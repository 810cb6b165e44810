import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFailed,
  onTestFinished,
  test,
} from 'vitest';
import { signOffLoss } from '../../src/controlplane/loss/sign-off.ts';
import { readReport } from '../../src/controlplane/loss/report.ts';
import { listOperations } from '../../src/controlplane/operation/journal.ts';
import { resumeOperation } from '../../src/controlplane/operation/control.ts';
import { Transaction } from '../../src/controlplane/store.ts';
import { CapstanError } from '../../src/domain/errors.ts';
import type { LossRecord } from '../../src/domain/loss-records.ts';
import { decideOnce, headPosition } from '../support/agent-claims.ts';
import { CLUSTER, createTestEstate, type TestEstate, TRIO } from '../support/agents.ts';
import {
  comeBack,
  failOverFrom,
  killPostgres,
  rejoin,
  resultOf,
  salvagedEntries,
  writeAlone,
} from '../support/rejoin.ts';

let world: TestEstate;
let loss: LossRecord;
let first: bigint;
const TOKENS = Array.from({ length: 600 }, (_, index) => `lost-${index}`);

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof CapstanError ? error.code : String(error)),
  );

beforeAll(async () => {
  world = await createTestEstate(TRIO);
  world.startAll();
  await world.untilFollowed('m1');
});
beforeEach(() => {
  onTestFailed(async () => {
    process.stderr.write(await world.logs());
  });
});
afterAll(async () => {
  await world.stop();
});

async function putLoss(record: LossRecord): Promise<void> {
  const key = world.keys.loss(CLUSTER, record.operation);
  expect(await new Transaction(world.port).put(key, record).commit()).toBe(true);
}

const lossNow = async () => (await world.view()).losses.get(loss.operation)?.value;
const sign = (waive: readonly string[] = []) =>
  signOffLoss({
    etcd: world.port,
    keys: world.keys,
    operation: loss.operation,
    waive,
    actor: 'test',
    reason: 'test',
  });

/** One loss from its failover to its end, step by step. The record is as a regional failover writes it. */
describe('a member that holds more than the decided prefix', () => {
  test('is salvaged exactly, row by row, and nothing of it is rewound before the sign-off', async () => {
    expect(await decideOnce(await world.connect('m1', 'gateway'), 1)).toBe('decided');
    first = BigInt(await headPosition(world, 'm1')) + 1n;
    const incarnation = (await world.view()).members.get('m1')?.value.incarnation ?? '';
    const old = await world.connect('m1');
    const operation = await failOverFrom(world, 'm1', () =>
      writeAlone(old, { shard: 0, first, term: 1, tokens: TOKENS }),
    );
    loss = {
      operation: operation.id,
      cluster: CLUSTER,
      formerTerm: 1,
      term: 2,
      timeline: 1,
      lsn: '0/0',
      positions: { '0': String(first - 1n), '1': '0' },
      voters: [{ member: 'm1', incarnation }],
      members: { m1: { state: 'pending', incarnation, found: null, waived: null } },
      status: 'open',
      lost: null,
      signedOff: null,
      since: new Date().toISOString(),
    };
    await putLoss(loss);
    await comeBack(world, 'm1');
    expect(await codeOf(sign())).toBe('loss_not_salvaged');
    expect(await codeOf(rejoin(world, 'm1'))).toBe('loss_not_signed_off');

    expect((await lossNow())?.members['m1']).toMatchObject({ state: 'salvaged', found: 600 });
    const entries = await salvagedEntries(world, loss.operation, 'm1');
    expect(entries.map(({ token, position }) => [token, position])).toEqual(
      TOKENS.map((token, index) => [token, String(first + BigInt(index))]),
    );
    expect(entries[0]).toMatchObject({
      shard: 0,
      issuer: 'MUNI-9',
      desk: 'desk-1',
      command: 'reserve',
      outcome: 'confirmed',
      reservation: 'R-lost-0',
      amount: '100',
      hash: 'ab'.repeat(32),
      maybeAcknowledged: true,
      heldBy: ['m1'],
    });
  });

  test('stays shut although it is asked to restore: its own agent refuses', async () => {
    const view = await world.view();
    const { membership, rejoins } = view;
    const request = rejoins.get('m1');
    if (membership === undefined || request === undefined) throw new Error('no rejoin');
    const learner = { region: 'new-york', role: 'learner' } as const;
    const { epoch, members } = membership.value;
    await new Transaction(world.port)
      .put(world.keys.membership(CLUSTER), { epoch: epoch + 1, members: { ...members, m1: learner } })
      .put(world.keys.rejoin(CLUSTER, 'm1'), { ...request.value, stage: 'restore' })
      .commit();
    const refused = await world.until(
      'its agent says why',
      ({ heartbeats }) => heartbeats.get('m1')?.value.reason?.includes('not signed off') === true,
    );
    expect(refused.heartbeats.get('m1')?.value.state).toBe('quarantined');
    await new Transaction(world.port).put(world.keys.rejoin(CLUSTER, 'm1'), request.value).commit();
  });

  test('is rewound once its loss is signed off, and the report stays', async () => {
    const signed = await sign();
    expect(signed).toMatchObject({ changed: true, record: { status: 'signed-off', lost: 600 } });
    expect((await readReport(world.port, world.keys, loss.operation)).map(({ token }) => token)).toEqual(
      TOKENS,
    );
    expect(await sign()).toMatchObject({ changed: false, record: { lost: 600 } });

    const running = (await listOperations({ etcd: world.port, keys: world.keys })).find(
      ({ kind, status }) => kind === 'rejoin' && status === 'running',
    );
    const { operation } = await resumeOperation({
      etcd: world.port,
      keys: world.keys,
      id: running?.id ?? '',
      actor: 'test',
    });
    expect(operation.status).toBe('done');
    expect(resultOf(operation, 'sign-off')).toEqual({ signedOff: [loss.operation] });
    expect(resultOf(operation, 'restore')).toMatchObject({ method: 'rewind' });
    const { inSync } = await world.view();
    expect(inSync?.value.voters.map(({ member }) => member)).toEqual(['m1']);
  });
});

describe('a remote observer that is ahead of the new leader', () => {
  test('is restored by its own agent, and proves the claim anew', async () => {
    const before = (await world.view()).members.get('m3')?.value.incarnation;
    // The voter receives nothing more; the observer goes on. Its agent would undo that at its next look.
    world.agent('m1').signal('SIGSTOP');
    onTestFinished(() => world.agent('m1').signal('SIGCONT'));
    const voter = await world.connect('m1');
    await voter.query(`alter system set primary_conninfo = ''`);
    await voter.query('select pg_reload_conf()');
    const leader = await world.connect('m2');
    await writeAlone(leader, { shard: 1, first: 1n, term: 2, tokens: ['ahead-1'] });
    const observer = await world.connect('m3');
    const arrived = async () =>
      (await observer.query(`select 1 from capstan.outbox where reservation_token = 'ahead-1'`)).rows.length;
    await expect.poll(arrived, { timeout: 15_000 }).toBe(1);
    await world.agent('m2').end('SIGKILL');
    await killPostgres(world, 'm2');
    world.agent('m1').signal('SIGCONT');
    await failOverFrom(world, 'm2');
    const view = await world.until(
      'the observer follows as another incarnation',
      ({ members, heartbeats }) => {
        const incarnation = members.get('m3')?.value.incarnation;
        return incarnation !== before && heartbeats.get('m3')?.value.state === 'following';
      },
      60_000,
    );
    expect(view.restored.get('m3')?.value).toMatchObject({
      operation: null,
      method: 'rewind',
      formerIncarnation: before,
    });
    await world.until(
      'the claim is proved anew',
      ({ claim }) => claim?.value.term === 3 && claim.value.status === 'advertised',
      60_000,
    );
    const { rows } = await (
      await world.connect('m3')
    ).query(`select 1 from capstan.outbox where reservation_token = 'ahead-1'`);
    expect(rows).toEqual([]);
  });
});
