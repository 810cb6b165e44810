import { expect, test } from 'vitest';
import { disturbDesks } from '../../../src/drills/faults/means/desks.ts';
import { inForce, orUndo } from '../../../src/drills/faults/means/in-force.ts';
import { letGoOfAll, Standing } from '../../../src/drills/faults/means/standing.ts';
import type { Ground } from '../../../src/drills/faults/types.ts';

/** Only what the switch is asked for: its faults touch nothing else of the ground. */
function desksOnly(folder: string) {
  const set: string[] = [];
  const ground = {
    paths: { folder },
    desks: { set: (region: string, mode: string) => set.push(`${region} ${mode}`) },
  } as unknown as Ground;
  return { ground, set };
}

test('of two faults on the same desks the latest has its way, and the other again when it ends', async () => {
  const { ground, set } = desksOnly('/nowhere/desks');
  const first = disturbDesks(ground, 'madrid', 'drop-replies');
  const second = disturbDesks(ground, 'madrid', 'half-open');
  await second();
  await second();
  await first();
  expect(set).toEqual([
    'madrid drop-replies',
    'madrid half-open',
    'madrid drop-replies',
    'madrid drop-replies',
    'madrid pass',
  ]);
});

test('one that ends before a later one leaves that in force', async () => {
  const { ground, set } = desksOnly('/nowhere/order');
  const first = disturbDesks(ground, 'madrid', 'drop-replies');
  disturbDesks(ground, 'madrid', 'half-open');
  await first();
  expect(set.at(-1)).toBe('madrid half-open');
  letGoOfAll(ground.paths);
});

test('turns on the same thing come one after another, also after one that failed', async () => {
  const standing = new Standing();
  const seen: string[] = [];
  const first = standing.inTurn('link', async () => {
    await Promise.resolve();
    seen.push('first');
    throw new Error('not this time');
  });
  const second = standing.inTurn('link', async () => {
    seen.push('second');
    return 'done';
  });
  await expect(first).rejects.toThrow('not this time');
  expect([await second, seen]).toEqual(['done', ['first', 'second']]);
});

test('healing goes on where it failed, and what could not be begun is undone', async () => {
  const calls: string[] = [];
  let broken = true;
  const force = inForce(
    'somewhere',
    {},
    async () => {
      calls.push('one');
    },
    async () => {
      calls.push('two');
      if (broken) throw new Error('still broken');
    },
  );
  await expect(force.heal()).rejects.toThrow('still broken');
  broken = false;
  await force.heal();
  expect(calls).toEqual(['one', 'two', 'one', 'two']);
  const undone: string[] = [];
  const attempt = orUndo(
    () => Promise.reject(new Error('not injected')),
    async () => {
      undone.push('undone');
    },
  );
  await expect(attempt).rejects.toThrow('not injected');
  expect(undone).toEqual(['undone']);
});
