import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseContract } from '../../../src/config/contract.ts';
import { failoverPolicyOf } from '../../../src/domain/failover-policy.ts';

const shipped = readFileSync(join(import.meta.dirname, '../../../contract.yaml'), 'utf8');
const without = shipped.replace(/^failover:\n(?: +.*\n)+/m, '');

test('the shipped contract lets agents fail over, within bounds', () => {
  expect(parseContract(shipped, 'c').failover).toEqual({
    automatic: true,
    graceMs: 500,
    deadAfterMs: 1_100,
    adoptAfterMs: 10_000,
    flap: { max: 2, withinMs: 600_000 },
  });
});

test('a contract that says nothing of failovers leaves them to people', () => {
  const contract = parseContract(without, 'c');
  expect(contract.failover).toBeUndefined();
  expect(failoverPolicyOf(contract).automatic).toBe(false);
  expect(failoverPolicyOf(undefined).automatic).toBe(false);
});

test.each([
  ['automatic: true', 'automatic: yes please', /failover\.automatic/],
  ['automatic: true', 'automatic: "true"', /failover\.automatic/],
  ['grace: 500ms', 'grace: 500', /failover\.grace/],
  ['grace: 500ms', 'grace: 500ms\n  regional: true', /regional/],
  ['deadAfter: 1100ms', 'deadAfter: 900ms', /failover\.deadAfter must exceed liveness\.heartbeatEvery/],
  ['max: 2 ', 'max: 0 ', /failover\.flap\.max/],
  ['adoptAfter: 10s', 'adoptAfter: 5s', /failover\.adoptAfter must exceed liveness\.heartbeatTtl/],
  ['within: 10m', 'within: 7s', /failover\.flap\.within must exceed/],
  ['adoptAfter: 10s', 'adoptAfter: 10m', /rto\.max must exceed/],
])('%s as %s is refused', (before, after, problem) => {
  expect(() => parseContract(shipped.replace(before, after), 'c')).toThrow(problem);
});
