import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DrillResultData } from '../../src/cli/schemas/drill.ts';
import { type Drill, DRILLS } from '../../src/drills/catalogue.ts';
import { FAULTS } from '../../src/drills/faults/registry.ts';
import type { HistoryLine } from '../../src/drills/history/types.ts';
import { drillRuns } from '../support/drill-runs.ts';
import { report, sized } from '../support/proof.ts';
import { capstan, startSandbox, type TestSandbox } from '../support/sandbox.ts';

/** Quick: one short run of each drill. */
const SEEDS = sized({ full: 10, quick: 1 });
/** Quick: the others are shown at a small size by fence, etcd, unknown, drill-faults and the integration tests. */
const QUICK: ReadonlySet<string> = new Set(['races', 'leader-kill', 'follower-pause']);
/** Those of many rounds have a sandbox of their own: operation-drills.test.ts. */
const SHOWN = sized({
  full: DRILLS.filter(({ rounds }) => rounds === null),
  quick: DRILLS.filter(({ name }) => QUICK.has(name)),
});
const SHORT_MS = 4_500;
/** Limits are sized for what is asked for, and run out near the middle of that: a slow machine must be able to send it all. */
const QUICK_RACES = ['--rate', '80', '--duration', '9s'];
/** Before and after a fault. */
const ROOM_MS = 1_600;
const TIMEOUT_MS = sized({ full: 1_800_000, quick: 120_000 });
const RULES = [
  'allocation',
  'durability',
  'one-outcome',
  'order',
  'rejection',
  'unknown',
  'authority',
  'reads',
];

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox?.down());

interface DrillRun {
  readonly held: boolean;
  readonly runs: readonly DrillResultData[];
}

/** At least what each of its faults needs: a failover and the old leader's return take their time. */
const durationOf = ({ faults, durationMs }: Drill): number => {
  const least = faults.map((name) => (FAULTS.get(name)?.holdMs.min ?? 0) + ROOM_MS);
  return sized({ full: durationMs, quick: Math.max(SHORT_MS, ...least) });
};

const rulesOf = ({ rules }: DrillResultData, status: string) =>
  rules.filter((one) => one.status === status).map(({ rule }) => rule);

/** The faults that were in force, as the history itself has them. */
const begun = ({ history }: DrillResultData): string[] =>
  readFileSync(history, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as HistoryLine)
    .flatMap((line) => (line.kind === 'fault' && line.phase === 'began' ? [line.fault] : []));

function summary(runs: readonly DrillResultData[]): string {
  const sum = (figure: (scale: DrillResultData['scale']) => number) =>
    runs.reduce((total, { scale }) => total + figure(scale), 0);
  const judged = runs.flatMap(({ rules }) => rules).reduce((total, rule) => total + rule.judged, 0);
  return [
    `${runs.length} run(s)`,
    `${sum(({ operations }) => operations)} requests`,
    `${sum(({ confirmed }) => confirmed)} confirmed`,
    `${sum(({ rejected }) => rejected)} rejected`,
    `${sum(({ unknown }) => unknown)} left open`,
    `${sum(({ faultsInjected }) => faultsInjected)} faults`,
    `${judged} judgements`,
  ].join(', ');
}

test.for(SHOWN.map((drill) => [drill.name, drill] as const))(
  'the drill %s breaks no promise',
  { timeout: TIMEOUT_MS },
  async ([name, drill], context) => {
    const usual = ['--duration', `${durationOf(drill)}ms`];
    const size = sized({ full: usual, quick: name === 'races' ? QUICK_RACES : usual });
    const words = ['--seed', '1', '--seeds', String(SEEDS), ...size];
    const runs = await drillRuns(name, { sandbox: sandbox.name, words, timeoutMs: TIMEOUT_MS });
    expect(runs.map(({ held }) => held)).toEqual(Array.from({ length: SEEDS }, () => true));
    // A verdict on nothing would hold too. Only rejections may be missing: under faults no limit need run out.
    for (const one of runs)
      expect([...rulesOf(one, 'held'), 'rejection']).toEqual(expect.arrayContaining(RULES));
    const inForce = new Set(runs.flatMap(begun));
    const least = sized({ full: drill.faults.length, quick: Math.min(1, drill.faults.length) });
    expect(drill.faults.filter((fault) => inForce.has(fault)).length).toBeGreaterThanOrEqual(least);
    report(context, `${summary(runs)} (${[...inForce].join(', ') || 'no fault'})`);
  },
);

test('desks that race are rejected when the headroom is used up, neither before nor for ever', async () => {
  const { result } = await capstan<DrillRun>(['drill', 'report']);
  const races = result.data.runs.filter(({ drill }) => drill === 'races');
  expect(races).toHaveLength(1);
  for (const one of races) {
    // Limits are sized for the rate that is asked for; a machine that can't send it all uses up less of them.
    const { operations, leftOut } = one.scale;
    expect(one.scale.shareRejected).toBeGreaterThan(leftOut > operations / 10 ? 0 : 0.1);
    expect(one.scale.shareRejected).toBeLessThan(0.5);
    expect(rulesOf(one, 'held')).toEqual(expect.arrayContaining(RULES));
  }
});

test('rounds of a drill without faults are refused, and nothing is run', async () => {
  const { status, result } = await capstan([
    'drill',
    'run',
    'races',
    '--name',
    sandbox.name,
    '--rounds',
    '3',
  ]);
  expect([status, result.error?.code]).toEqual([2, 'flags_conflict']);
});

test('every run is kept, listed with its drill and shown again as it was', async () => {
  const list = await capstan<{ drills: { name: string; last: { id: string; verdict: string } | null }[] }>([
    'drill',
    'list',
  ]);
  const { drills } = list.result.data;
  expect(drills.map(({ name }) => name)).toEqual(DRILLS.map(({ name }) => name));
  // Other tests run some too.
  const own = drills.filter(({ name }) => SHOWN.some((drill) => drill.name === name));
  expect(own.map(({ last }) => last?.verdict)).toEqual(SHOWN.map(() => 'held'));
  const last = own.at(-1)?.last?.id ?? '';
  const { status, result } = await capstan<DrillRun>(['drill', 'report', last]);
  expect([status, result.data.runs.map(({ id }) => id)]).toEqual([0, [last]]);
});

test(
  'a run that is stopped by Ctrl-C says so, and has healed what it injected',
  { timeout: TIMEOUT_MS },
  async () => {
    const stopping = new AbortController();
    const words = ['--name', sandbox.name, '--faults', 'pause-follower', '--duration', '20s', '--seed', '3'];
    const { status, result } = await capstan(['drill', 'run', 'races', ...words], {
      timeoutMs: TIMEOUT_MS,
      signal: stopping.signal,
      killSignal: 'SIGINT',
      onStderr: (text) => {
        if (text.includes('pause-follower began')) stopping.abort();
      },
    });
    expect([status, result.error?.code]).toEqual([130, 'interrupted']);
    const { result: after } = await capstan<{ up: boolean }>(['sandbox', 'status', '--name', sandbox.name]);
    expect(after.data.up).toBe(true);
  },
);
