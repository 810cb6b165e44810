import { expect, test } from 'vitest';
import type { MemberContext } from '../../../src/agent/context.ts';
import { type ReportBody, ReportWriter } from '../../../src/agent/moves/report-writer.ts';
import { systemClock } from '../../../src/clock/system-clock.ts';
import { Keys } from '../../../src/controlplane/keys.ts';
import { ABSENT } from '../../../src/controlplane/store.ts';
import type { MoveRecord } from '../../../src/domain/move-records.ts';
import type { AuthorityRecord } from '../../../src/domain/records.ts';
import type { EtcdPort } from '../../../src/etcd/port.ts';
import { CONTRACT } from '../../simulation/contracts.ts';
import { Random } from '../../simulation/random.ts';
import { Scheduler } from '../../simulation/scheduler.ts';
import { SimEtcd } from '../../simulation/sim-etcd.ts';

const keys = new Keys('sim');
const STREAM = { operation: 'rebalance-1', stream: 1 };
const KEY = keys.moveReport(STREAM.operation, STREAM.stream, 'c2');

const report = (slot: 'absent' | 'made') =>
  ({ ...STREAM, role: 'other', wayBack: { slot, waitingFor: null } }) as unknown as ReportBody;

function build() {
  const etcd = new SimEtcd(new Scheduler(new Random(1)));
  const put = (key: string, value: unknown) => {
    etcd.transact([], [{ kind: 'put', key, value: JSON.stringify(value) }]);
    return etcd.get(key)?.modRevision ?? '';
  };
  const authority = { value: {} as AuthorityRecord, revision: put(keys.authority('c2'), {}) };
  const move = keys.move(STREAM.operation, STREAM.stream);
  const held = { value: STREAM as MoveRecord, revision: put(move, STREAM) };
  const sent: Parameters<EtcdPort['transact']>[] = [];
  const port = {
    transact: (...about: Parameters<EtcdPort['transact']>) => {
      sent.push(about);
      return Promise.resolve(etcd.transact(about[0], about[1]));
    },
  } as unknown as EtcdPort;
  const context = { etcd: port, keys, cluster: 'c2', member: 'n1', clock: systemClock, contract: CONTRACT };
  const writer = new ReportWriter(context as unknown as MemberContext);
  const stored = () => etcd.get(KEY);
  const again = () => sent.map(([compares, writes]) => etcd.transact(compares, writes).succeeded);
  return { writer, authority, held, stored, again };
}

test('a report that arrives twice, and late, replaces no later one', async () => {
  const { writer, authority, held, stored, again } = build();
  await writer.write(report('absent'), { authority, held, seen: ABSENT });
  await writer.write(report('made'), { authority, held, seen: ABSENT });
  const last = stored();
  expect(last?.value).toContain('"made"');
  expect(again()).toEqual([false, false]);
  expect(stored()).toEqual(last);
});

test('a report whose predecessor isn’t known is written once it is', async () => {
  const { writer, authority, held, stored } = build();
  await writer.write(report('absent'), { authority, held, seen: ABSENT });
  writer.forget();
  await writer.write(report('made'), { authority, held, seen: ABSENT });
  expect(stored()?.value).toContain('"absent"');
  await writer.write(report('made'), { authority, held, seen: stored()?.modRevision ?? ABSENT });
  expect(stored()?.value).toContain('"made"');
});
