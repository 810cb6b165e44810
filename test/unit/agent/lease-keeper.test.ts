import { expect, test } from 'vitest';
import { LeaseKeeper } from '../../../src/agent/lease-keeper.ts';
import type { Duty } from '../../../src/agent/lease-ports.ts';
import type { Extension } from '../../../src/reservations/lease-sql.ts';
import { SimHost, SimProcess } from '../../simulation/process.ts';
import { Random } from '../../simulation/random.ts';
import { Scheduler } from '../../simulation/scheduler.ts';
import { CONTRACT } from '../../simulation/contracts.ts';

const DUTY: Duty = {
  epoch: 1,
  authority: {
    revision: '7',
    value: { term: 3, leader: 'm1', phase: 'open', operation: null, prefix: null, since: '' },
  },
  record: { voters: [], required: 0, degraded: true },
  names: '',
  serverRun: 'run-1',
};
const silent = () => undefined;

/** A keeper on a simulated clock, whose extensions are answered in this order, then `extended`. */
async function keep(answers: readonly Extension[]) {
  const scheduler = new Scheduler(new Random(1));
  const host = new SimHost(scheduler, { name: 'host', rate: 1, wallOffsetMs: 0 });
  const { clock } = new SimProcess(scheduler, host, 'agent');
  const left = [...answers];
  const done: string[] = [];
  const keeper = new LeaseKeeper({
    contract: CONTRACT,
    clock,
    logger: { info: silent, warn: silent, error: silent, debug: silent },
    ports: {
      renew: () => Promise.resolve(true),
      followersHoldAll: () => {
        done.push('asked the followers');
        return Promise.resolve(true);
      },
      grantRow: () => {
        done.push('granted');
        return Promise.resolve();
      },
      extendRow: () => {
        const answer = left.shift() ?? 'extended';
        done.push(answer);
        return Promise.resolve(answer);
      },
      closeAdmission: () => Promise.resolve(),
      stopPostgres: () => Promise.resolve(),
      rpo: () => ({ untilWallMs: null, lagMs: null, claim: null }),
      rpoApplied: silent,
    },
  });
  keeper.assign(DUTY);
  void keeper.run(new AbortController().signal);
  await scheduler.run(CONTRACT.lease.renewEveryMs * 3.5, () => false);
  return done;
}

test.each(['gone', 'closed'] as const)(
  'a grant whose row is %s is made anew, by the full path',
  async (answer) => {
    expect(await keep([answer])).toEqual([
      'asked the followers',
      'granted',
      answer,
      'asked the followers',
      'granted',
      'extended',
      'extended',
    ]);
  },
);

test('an extension that came too late is tried again, under the same grant', async () => {
  expect(await keep(['older'])).toEqual([
    'asked the followers',
    'granted',
    'older',
    'extended',
    'extended',
    'extended',
  ]);
});
