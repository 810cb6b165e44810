import { boolean } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { durationFlag } from '../../cli/flags.ts';
import { Progress } from '../../cli/progress.ts';
import { facts, type Section, text } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../cli/sandbox.ts';
import { lastWordOf } from '../../cli/last-word.ts';

export default class DrillHeal extends CapstanCommand<typeof DrillHeal> {
  static override summary = 'Bring a sandbox back to health, whatever drills have done to it.';
  static override description =
    'Resumes and starts processes, heals links, restores clocks, ends open operations, and clones quarantined members anew: what they held that no follower has is thrown away. Then it waits until every cluster decides.';
  static override kind = 'DrillHeal';
  static override errors = ['sandbox_not_found', 'sandbox_state_broken', 'drill_heal_incomplete'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --timeout 2m -o json',
  ];
  static override flags = {
    name: sandboxFlag(),
    timeout: durationFlag({ summary: 'How long it may take until everything is well (default 3m).' }),
    'after-stdin': boolean({
      summary: 'Begin when the input ends, unless its last word is `done`: a drill’s guard.',
      hidden: true,
    }),
  };

  protected override async execute(): Promise<CommandResult> {
    const [{ healAll }, { GUARD_DONE }, { sandboxEnvironment }] = await Promise.all([
      import('../../drills/faults/heal.ts'),
      import('../../drills/faults/guard.ts'),
      import('../../sandbox/environment.ts'),
    ]);
    if (this.flags['after-stdin'] && (await lastWordOf(process.stdin)) === GUARD_DONE)
      return resultOf({ changed: false, done: [], tookMs: 0 });
    const { paths, state } = await openSandbox(this.flags.name);
    const progress = new Progress({ subject: 'drill heal', noColor: this.flags['no-color'] });
    try {
      const { done, tookMs } = await healAll({
        paths,
        state,
        environment: await sandboxEnvironment(paths, state),
        timeoutMs: this.flags.timeout,
        stop: this.signal,
        onProgress: ({ missing }) => progress.step('heal', 'running', missing),
      });
      return resultOf({ changed: done.length > 0, done, tookMs });
    } finally {
      progress.close();
    }
  }
}

const resultOf = (data: {
  readonly changed: boolean;
  readonly done: readonly string[];
  readonly tookMs: number;
}): CommandResult => ({
  kind: DrillHeal.kind,
  data,
  view: (): Section[] => [
    facts([['result', data.changed ? 'well again' : 'well already']]),
    ...data.done.map((line) => text(line)),
  ],
});
