import { expect, test } from 'vitest';
import { choose, clusterDiceOf, diceOf } from '../../../src/drills/faults/means/dice.ts';
import { FAULTS } from '../../../src/drills/faults/registry.ts';

test('every fault is known by its own name, says what it does in one line, and has a time', () => {
  expect([...FAULTS.keys()].toSorted()).toEqual([
    'cancel-commit',
    'change-observer',
    'change-voter',
    'clock-step',
    'cut-leader-etcd',
    'cut-leader-etcd-one-way',
    'cut-leader-follower',
    'cut-leader-follower-one-way',
    'cut-leader-replies',
    'cut-link',
    'cut-link-one-way',
    'drop-replies',
    'etcd-leader',
    'etcd-quorum',
    'fence-abort',
    'full-disk-failover',
    'half-open',
    'kill-agent',
    'kill-backend',
    'kill-cli',
    'kill-etcd',
    'kill-follower',
    'kill-gateway',
    'kill-leader',
    'kill-leader-ahead',
    'kill-leader-failover',
    'kill-postgres',
    'lose-region',
    'lose-region-late',
    'move-cut-link',
    'move-kill-cli',
    'move-kill-leader',
    'move-pause-etcd',
    'move-there-and-back',
    'pause-agent',
    'pause-etcd',
    'pause-follower',
    'pause-gateway',
    'pause-leader',
    'pause-leader-failover',
    'slow-link',
    'stale-gateway',
    'switch-over',
    'switch-over-stopped',
  ]);
  for (const [name, fault] of FAULTS) {
    expect(fault.name).toBe(name);
    expect(fault.summary).toMatch(/^[^\n]{20,120}$/);
    expect(fault.holdMs.min).toBeGreaterThan(0);
    expect(fault.holdMs.max).toBeGreaterThanOrEqual(fault.holdMs.min);
  }
});

test('what is said to last past the lease lasts longer than the lease of the shipped contract', () => {
  for (const name of ['pause-leader', 'pause-agent', 'etcd-quorum'])
    expect(FAULTS.get(name)?.holdMs.min).toBeGreaterThan(3_000 + 300);
});

test('a fault’s variant isn’t bound to the cluster that its draw names', () => {
  const seen = new Set<string>();
  for (let n = 0; n < 200; n += 1) {
    const planned = { draw: n / 200 };
    seen.add(`${choose(diceOf(planned), ['a', 'b'])} ${clusterDiceOf(planned).whole(1, 2)}`);
  }
  expect([...seen].toSorted()).toEqual(['a 1', 'a 2', 'b 1', 'b 2']);
});
