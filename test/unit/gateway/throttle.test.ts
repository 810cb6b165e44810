import { expect, it } from 'vitest';
import type { EstateView } from '../../../src/controlplane/estate-snapshot.ts';
import { Throttle } from '../../../src/gateway/throttle.ts';

function throttle() {
  let rate: number | undefined;
  const listeners = new Set<(view: EstateView) => void>();
  const view = {} as EstateView;
  const source = {
    current: () => view,
    onChange: (listener: (view: EstateView) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const made = new Throttle({ source, rateOf: () => rate, decisionMs: 2_500 });
  const set = (next: number | undefined) => {
    rate = next;
    for (const listener of listeners) listener(view);
  };
  return { made, set, listeners };
}

it('is not there while nothing is to be slowed', () => {
  const { made } = throttle();
  expect(made.take('c1', () => 1)).toBeUndefined();
  expect(made.isActing('c1')).toBe(false);
});

it('gives the right to send some, and keeps a part of each command’s time for the decision', async () => {
  const { made, set } = throttle();
  set(1_000);
  expect(made.isActing('c1')).toBe(true);
  const permit = await made.take('c1', () => 3);
  expect(permit?.timeLeftMinMs).toBe(500);
  expect(permit?.commandsMax).toBeGreaterThanOrEqual(1);
  expect(permit?.commandsMax).toBeLessThanOrEqual(3);
  made.close();
});

it('ends with the view that says so: who waited is let go', async () => {
  const { made, set } = throttle();
  set(0.001);
  const waiting = made.take('c1', () => 5);
  set(undefined);
  expect((await waiting)?.commandsMax).toBeUndefined();
});

it('holds nobody once it is closed', async () => {
  const { made, set, listeners } = throttle();
  set(0.001);
  const waiting = made.take('c1', () => 5);
  made.close();
  expect((await waiting)?.commandsMax).toBeUndefined();
  expect(listeners.size).toBe(0);
});
