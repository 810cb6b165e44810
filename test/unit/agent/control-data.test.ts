import { expect, test } from 'vitest';
import { parseControlData } from '../../../src/agent/control-data.ts';

const text = (state: string) => `pg_control version number:            1300
Database cluster state:               ${state}
pg_control last modified:             Wed Nov 25 00:07:29 2026
Latest checkpoint location:           0/4029D70
Latest checkpoint's REDO location:    0/4029D70
Latest checkpoint's TimeLineID:       2
`;

test('a clean shutdown is told from every other state', () => {
  expect(parseControlData(text('shut down'))).toEqual({
    cleanlyShutDown: true,
    checkpointLsn: '0/4029D70',
    timeline: 2,
  });
  for (const state of ['in production', 'shut down in recovery', 'shutting down', 'in crash recovery'])
    expect(parseControlData(text(state)).cleanlyShutDown).toBe(false);
});

test('an answer without what is needed is an error and no guess', () => {
  expect(() => parseControlData('pg_control version number: 1300\n')).toThrow(/does not tell/);
  expect(() => parseControlData(text('shut down').replace('0/4029D70', 'somewhere'))).toThrow(
    /tells no checkpoint/,
  );
});
