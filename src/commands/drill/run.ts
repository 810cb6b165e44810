import { randomInt } from 'node:crypto';
import { string } from '@oclif/core/args';
import { custom } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { countFlag, durationFlag } from '../../cli/flags.ts';
import { allHeld, drillData, drillError, runSections, runsTable } from '../../cli/present/drill.ts';
import { Progress } from '../../cli/progress.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';
import { usageError } from '../../domain/errors.ts';
import { type DrillResult, standingOf } from '../../drills/result.ts';
import { DRILL_STEPS, type OnStep } from '../../drills/steps.ts';

/** Seeds that are drawn are short enough to be typed again. */
const DRAWN_SEED_MAX = 1_000_000;
const listFlag = custom<string[]>({ parse: async (input) => input.split(',').filter((name) => name !== '') });

export default class DrillRun extends CapstanCommand<typeof DrillRun> {
  static override summary = 'Run a drill on a sandbox: load, faults, and a verdict on what clients saw.';
  static override description =
    'Exit 0: no promise was broken; 3: one was; 5: the run could not be finished. The same seed draws the same requests, faults and times; what the machine does with them is its own. Whatever was injected is healed, also after Ctrl-C.';
  static override kind = 'DrillRun';
  static override errors = [
    'drill_unknown',
    'fault_unknown',
    'drill_too_short',
    'drill_violation',
    'drill_unfinished',
    'drill_heal_incomplete',
    'interrupted',
    'flag_invalid',
    'flags_conflict',
    'sandbox_not_found',
    'sandbox_busy',
    'history_unwritable',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> races',
    '<%= config.bin %> <%= command.id %> leader-kill --seed 7 --seeds 10',
    '<%= config.bin %> <%= command.id %> races --faults kill-leader,slow-link --duration 20s',
  ];
  static override args = {
    drill: string({ description: 'As `drill list` names it.', required: true }),
  };
  static override flags = {
    name: sandboxFlag(),
    seed: countFlag()({
      summary: 'What is drawn; printed when it is not given, so that the run can be made again.',
    }),
    seeds: countFlag()({
      summary: 'So many runs, from the seed on, until one breaks a promise.',
      default: 1,
    }),
    duration: durationFlag({ summary: 'How long the load goes on, in place of the drill’s own.' }),
    rate: countFlag()({ summary: 'Requests a second, in place of the drill’s own.' }),
    rounds: countFlag()({
      summary: 'So many of its faults one after another, each once the former is healed.',
    }),
    faults: listFlag({
      summary: 'In place of the drill’s own; `drill list -o wide` names them.',
      helpValue: 'A,B',
    }),
  };

  protected override async execute(): Promise<CommandResult> {
    const [{ drillNamed }, { DrillStore }, { runDrill }] = await Promise.all([
      import('../../drills/catalogue.ts'),
      import('../../drills/store.ts'),
      import('../../drills/run-drill.ts'),
    ]);
    const drill = drillNamed(this.args.drill);
    const faults = this.flags.faults ?? drill.faults;
    if (this.flags.rounds !== undefined && faults.length === 0)
      throw usageError(`--rounds: the drill ${drill.name} has no faults that could follow one another`, {
        code: 'flags_conflict',
        next: 'name some: --faults kill-leader-failover,pause-leader-failover',
      });
    const { paths, state } = await openSandbox(this.flags.name);
    const seed = this.flags.seed ?? randomInt(1, DRAWN_SEED_MAX);
    if (this.flags.seed === undefined) this.output.note(`seed ${seed}`);
    const store = new DrillStore();
    const runs: DrillResult[] = [];
    while (runs.length < this.flags.seeds && runs.every((run) => standingOf(run) !== 'broken')) {
      const mine = seed + runs.length;
      const result = await this.#watch(`drill ${drill.name} seed ${mine}`, (onStep) =>
        runDrill({
          paths,
          state,
          drill,
          faults,
          rounds: this.flags.rounds ?? drill.rounds,
          seed: mine,
          durationMs: this.flags.duration ?? drill.durationMs,
          ratePerSecond: this.flags.rate ?? drill.ratePerSecond,
          store,
          signal: this.signal,
          onStep,
        }),
      );
      runs.push(result);
    }
    const [only] = runs;
    const error = drillError(runs);
    return {
      kind: DrillRun.kind,
      data: { drill: drill.name, held: allHeld(runs), runs: runs.map(drillData) },
      names: runs.map(({ id }) => `run/${id}`),
      view: () => (runs.length === 1 && only !== undefined ? runSections(only) : [runsTable(runs)]),
      ...(error === undefined ? {} : { error }),
    };
  }
  async #watch(subject: string, run: (onStep: OnStep) => Promise<DrillResult>): Promise<DrillResult> {
    const progress = new Progress({ subject, steps: DRILL_STEPS, noColor: this.flags['no-color'] });
    try {
      return await run((step, state, detail) => progress.step(step, state, detail));
    } finally {
      progress.close();
    }
  }
}
