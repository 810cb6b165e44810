import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startGuard } from '../../src/drills/faults/guard.ts';
import { healAll } from '../../src/drills/faults/heal.ts';
import { FAULTS } from '../../src/drills/faults/registry.ts';
import { runFaults } from '../../src/drills/faults/run.ts';
import { planFaults } from '../../src/drills/faults/schedule.ts';
import { readProcess } from '../../src/sandbox/process-table.ts';
import { type Desks, openDesks } from '../support/desk-client.ts';
import { startLoad } from '../support/desk-load.ts';
import { faultGround, type FaultGround } from '../support/fault-ground.ts';
import { clockOf, lookBefore, OUTSIDE } from '../support/fault-witness.ts';
import { History } from '../support/history.ts';
import { FULL, report, sized } from '../support/proof.ts';
import { clusterState, freshIssuers, verdict } from '../support/read-back.ts';
import { startSandbox, testStateDir, type TestSandbox } from '../support/sandbox.ts';

const TIMEOUT_MS = 240_000;
const QUICK = ['cut-link-one-way', 'clock-step'];
/** Those that act in several ways are shown at several draws. */
const DRAWS: Readonly<Record<string, readonly number[]>> = {
  'etcd-leader': [0.05, 0.35, 0.65, 0.95],
  'etcd-quorum': [0.1, 0.6],
  'cancel-commit': [0.1, 0.4, 0.6, 0.9],
  'clock-step': [0.2, 0.7],
  'kill-cli': [0.1, 0.3, 0.5, 0.7, 0.9],
  'stale-gateway': [0.1, 0.3, 0.8],
};
/** So that both clusters have their turn. */
const otherwise = (index: number): number => (index * 0.37 + 0.1) % 1;
/** Whole operations, of which drills of their own judge what they may lose and how they end (operation-drills.test.ts). */
const OPERATIONS: ReadonlySet<string> = new Set([
  'switch-over',
  'switch-over-stopped',
  'change-observer',
  'change-voter',
  'lose-region',
  'lose-region-late',
  'move-there-and-back',
  'move-kill-leader',
  'move-kill-cli',
  'move-cut-link',
  'move-pause-etcd',
]);
const NAMES = [...FAULTS.keys()].filter((name) => !OPERATIONS.has(name));
const CASES = sized({ full: NAMES, quick: QUICK }).flatMap((name, index) =>
  (FULL ? (DRAWS[name] ?? [otherwise(index)]) : [0.5]).map((draw): [string, number] => [name, draw]),
);
const DRILL_LIKE_PARENT = fileURLToPath(new URL('../support/drill-like-parent.ts', import.meta.url));

let sandbox: TestSandbox;
let ground: FaultGround;
let desks: Desks;
let issuers: readonly string[];

beforeAll(async () => {
  // What is started in this process goes by it, as a command would.
  process.env['CAPSTAN_STATE_DIR'] = testStateDir();
  sandbox = await startSandbox(FULL ? ['--member-links'] : []);
});
afterAll(() => sandbox?.down());
beforeEach(async () => {
  ground = await faultGround(sandbox.name);
  desks = openDesks(sandbox, new History());
});
afterEach(async () => {
  await ground.desks.close();
  await desks.close();
});

const until = <T>(check: () => Promise<T> | T) => vi.waitFor(check, { timeout: 60_000, interval: 100 });

/** Load in both clusters: some faults act on what it has under way. */
async function underLoad<T>(seed: number, body: () => Promise<T>): Promise<T> {
  issuers = [
    ...(await freshIssuers(desks, { cluster: 'c1', count: 2, limit: '100000', prefix: `fault-${seed}` })),
    ...(await freshIssuers(desks, { cluster: 'c2', count: 2, limit: '100000', prefix: `fault-${seed}` })),
  ];
  const load = startLoad({ desks, callersPerGateway: 3, issuers, seed, name: `load-${seed}` });
  try {
    return await body();
  } finally {
    await load.stop();
  }
}

/** A new decision in each cluster through each gateway. */
const decidesEverywhere = (mark: string) =>
  until(async () => {
    for (const issuer of issuers)
      for (const desk of desks.all) {
        const token = `${mark}-${issuer}-${desk.via}`;
        expect((await desk.reserve({ issuer, notional: '0.01', token })).outcome).toBe('confirmed');
      }
  });

async function expectWell(): Promise<void> {
  const { result } = await sandbox.capstan<{ up: boolean; disturbedLinks: unknown[] }>(['sandbox', 'status']);
  expect([result.data.up, result.data.disturbedLinks]).toEqual([true, []]);
  const { result: again } = await sandbox.capstan<{ changed: boolean }>(['drill', 'heal']);
  expect([again.ok, again.data.changed]).toEqual([true, false]);
}

describe.each(CASES)('%s (draw %f)', (name, draw) => {
  test(
    'is seen from outside, is healed, and everything decides again',
    { timeout: TIMEOUT_MS },
    async (context) => {
      const fault = FAULTS.get(name);
      if (fault === undefined) throw new Error(`no fault ${name}`);
      const before = await lookBefore(sandbox, ground);
      const seed = Math.round(draw * 100) + 1_000 * [...FAULTS.keys()].indexOf(name);
      const seen = await underLoad(seed, async () => {
        const force = await fault.inject(ground, { fault: name, atMs: 0, holdMs: fault.holdMs.min, draw });
        try {
          await OUTSIDE[name]?.({ sandbox, ground, force, before });
        } finally {
          await force.heal();
        }
        const { done, tookMs } = await healAll(ground);
        // Everything that it did it has undone itself.
        expect(done).toEqual([]);
        return { target: force.target, restMs: tookMs };
      });
      await decidesEverywhere(`again-${seed}`);
      for (const [cluster, { leader }] of (await lookBefore(sandbox, ground)).clusters)
        expect([cluster, await clockOf(sandbox, leader)]).toEqual([cluster, before.clock]);
      expect(await verdict(sandbox, desks)).toEqual([]);
      report(context, `on ${seen.target}, at rest ${seen.restMs} ms after, ${desks.history.summary()}`);
    },
  );
});

test.runIf(FULL)(
  'all faults in windows that overlap, on the same things too, leave nothing behind',
  { timeout: 600_000 },
  async (context) => {
    const told: string[] = [];
    for (const seed of [1, 2, 3]) {
      const planned = planFaults({ seed, faults: NAMES, durationMs: 60_000 });
      const outcome = await underLoad(900_000 + seed, () => runFaults(ground, planned));
      await healAll(ground);
      expect(ground.lines.filter(({ kind }) => kind === 'fault').length).toBeGreaterThan(NAMES.length);
      told.push(`seed ${seed}: ${outcome.injected} injected, ${outcome.skipped.length} found nothing`);
      await decidesEverywhere(`overlap-${seed}`);
      await expectWell();
    }
    expect(await verdict(sandbox, desks)).toEqual([]);
    report(context, told.join('; '));
  },
);

test(
  'a run that is stopped heals at once what it has injected, and injects no more',
  { timeout: TIMEOUT_MS },
  async () => {
    const stop = new AbortController();
    const stopped = { ...ground, signal: stop.signal };
    const running = runFaults(stopped, [
      { fault: 'slow-link', atMs: 0, holdMs: 100_000, draw: 0.3 },
      { fault: 'cut-link', atMs: 0, holdMs: 100_000, draw: 0.3 },
      { fault: 'kill-gateway', atMs: 90_000, holdMs: 1_000, draw: 0.3 },
    ]);
    await until(() => expect(ground.lines).toHaveLength(2));
    stop.abort();
    expect(await running).toEqual({ injected: 2, skipped: [], failed: [], unhealed: [] });
    expect(ground.lines.map((line) => line.kind === 'fault' && line.phase)).toEqual([
      'began',
      'began',
      'healed',
      'healed',
    ]);
    expect((await healAll(ground)).done).toEqual([]);
  },
);

test(
  'a drill that is killed with -9 is healed by its guard, and a guard that is told to stop does nothing',
  { timeout: TIMEOUT_MS },
  async (context) => {
    const idle = await startGuard(ground);
    await idle.stop();
    expect(await readProcess(idle.pid)).toBeUndefined();

    const parent = spawn(process.execPath, [DRILL_LIKE_PARENT, sandbox.name, 'pause-leader'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const { guard, target } = JSON.parse(line) as { guard: number; target: string };
    const stateOf = async (process: string) => {
      const { result } = await sandbox.capstan<{ processes: { name: string; state: string }[] }>([
        'sandbox',
        'status',
      ]);
      return result.data.processes.find(({ name }) => name === process)?.state;
    };
    expect(await stateOf(target)).toBe('paused');
    const gone = once(parent, 'exit');
    parent.kill('SIGKILL');
    await gone;
    const killedAt = performance.now();
    await until(async () => expect(await readProcess(guard)).toBeUndefined());
    expect(await stateOf(target)).toBe('running');
    await expectWell();
    expect((await clusterState(sandbox, target.slice(0, 2))).leader).toBe(target);
    report(
      context,
      `${target} was healed by process ${guard}, at rest within ${Math.round(performance.now() - killedAt)} ms`,
    );
  },
);
