import { expect, test } from 'vitest';
import { Keys } from '../../../src/controlplane/keys.ts';
import { OperationJournal } from '../../../src/controlplane/operation/journal.ts';
import { newOperation } from '../../../src/controlplane/operation/record.ts';
import { outcomeUnknown } from '../../../src/etcd/etcd-errors.ts';
import type { EtcdPort } from '../../../src/etcd/port.ts';
import { simulatedEtcd } from '../../simulation/conformance/simulated-subjects.ts';

const KEYS = new Keys('journal');
const ID = 'failover-1';

test('a take-over whose reply was lost is not made again once somebody else has taken over since', async () => {
  const { subject, clock, drive } = simulatedEtcd(1);
  const { etcd } = subject;
  const journalOver = (port: EtcdPort) => new OperationJournal({ etcd: port, keys: KEYS, clock });
  const takeOver = (port: EtcdPort, coordinatorId: string) =>
    journalOver(port).takeOver({ id: ID, coordinatorId, phaseAfter: ({ phase }) => phase });
  const next = newOperation({
    id: ID,
    kind: 'failover',
    cluster: 'c1',
    phase: 'freeze',
    actor: 'test',
    reason: 'test',
    planHash: '',
    plan: {},
    approvals: [],
    coordinatorId: 'first',
    now: new Date(0),
  });

  let sent = 0;
  const losesTheFirstReply: EtcdPort = {
    get: (key, options) => etcd.get(key, options),
    range: (prefix, options) => etcd.range(prefix, options),
    watch: (prefix, handlers) => etcd.watch(prefix, handlers),
    grantLiveness: (ttlMs) => etcd.grantLiveness(ttlMs),
    status: (options) => etcd.status(options),
    close: () => undefined,
    async transact(compares, writes, options) {
      sent += 1;
      const result = await etcd.transact(compares, writes, options);
      if (sent > 1) return result;
      await takeOver(etcd, 'third');
      throw outcomeUnknown(['etcd'], [new Error('the reply was lost')]);
    },
  };

  const story = async () => {
    await journalOver(etcd).write({ held: undefined, next });
    const second = await takeOver(losesTheFirstReply, 'second').catch((error: unknown) => error);
    return { second, now: JSON.parse((await etcd.get(KEYS.operation(ID)))?.value ?? '{}') as unknown };
  };
  const { second, now } = await drive(story());
  expect(second).toMatchObject({ code: 'operation_superseded' });
  expect(now).toMatchObject({ coordinator: { id: 'third' } });
});
