import { expect, test } from 'vitest';
import { Keys } from '../../../src/controlplane/keys.ts';
import type { AuthorityRecord } from '../../../src/domain/records.ts';
import { SwitchoverCheck } from '../../simulation/check-switchover.ts';
import { CONTRACT } from '../../simulation/contracts.ts';
import { Network } from '../../simulation/network.ts';
import { SimHost } from '../../simulation/process.ts';
import { Random } from '../../simulation/random.ts';
import { Scheduler } from '../../simulation/scheduler.ts';
import { SimEtcd } from '../../simulation/sim-etcd.ts';
import { emptyDisk, SimPostgres } from '../../simulation/sim-postgres.ts';
import { type LogRecord, lsnText } from '../../simulation/wal.ts';
import { noCounts } from '../../simulation/world-options.ts';

const keys = new Keys('sim');
const record = (lsn: number): LogRecord => ({
  lsn,
  timeline: 1,
  by: 'm1',
  change: { kind: 'nothing', why: 'test' },
});
const [first, second, third] = [record(100), record(200), record(300)];

function handOver(old: readonly LogRecord[], target: readonly LogRecord[], lsn: number): readonly string[] {
  const scheduler = new Scheduler(new Random(1));
  const environment = {
    scheduler,
    network: new Network(scheduler),
    planted: undefined,
    postgresOf: () => undefined,
    observer: { appended: () => undefined, acknowledged: () => undefined, promoted: () => undefined },
  };
  const members = Object.entries({ m1: old, m2: target }).map(([name, log]) => {
    const host = new SimHost(scheduler, { name, rate: 1, wallOffsetMs: 0 });
    const postgres = new SimPostgres(name, host, environment);
    postgres.disk = { ...emptyDisk(), exists: true, wal: [...log], flushed: log.length };
    return postgres;
  });
  const broken: string[] = [];
  const check = new SwitchoverCheck({
    etcd: new SimEtcd(scheduler),
    counts: noCounts(),
    keys,
    cluster: 'c1',
    contract: CONTRACT,
    members,
    clocksWithinLimits: true,
    now: () => 0,
    report: (invariant) => broken.push(invariant),
  });
  const draining: AuthorityRecord = {
    term: 1,
    leader: 'm1',
    phase: 'draining',
    operation: 'switchover-1',
    prefix: null,
    since: '',
  };
  const prefix = { member: 'm2', incarnation: 'i', timeline: 1, lsn: lsnText(lsn), positions: {} };
  const decided: AuthorityRecord = { ...draining, term: 2, leader: 'm2', phase: 'promoting', prefix };
  for (const authority of [draining, decided])
    check.committed([{ kind: 'put', key: keys.authority('c1'), value: JSON.stringify(authority) }]);
  return broken;
}

test('a hand-over of exactly what the old leader held breaks nothing', () => {
  expect(handOver([first, second], [first, second], 200)).toEqual([]);
});

test('a prefix that lacks the old leader’s last record is a loss', () => {
  expect(handOver([first, second, third], [first, second], 200)).toEqual(['switchover-loses-nothing']);
});

test('a prefix that holds what the old leader never ended with is no hand-over', () => {
  expect(handOver([first, second], [first, second, third], 300)).toEqual(['switchover-loses-nothing']);
});
