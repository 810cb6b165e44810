import { string } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { allHeld, drillCi, drillData, drillError, runSections, runsTable } from '../../cli/present/drill.ts';
import { reportFlag, writeReports } from '../../cli/report.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class DrillReport extends CapstanCommand<typeof DrillReport> {
  static override summary =
    'How drills went: the latest run of each, or one run with its rules and evidence.';
  static override description =
    'Exit 0: every run shown held; 3: one broke a promise; 5: nothing of one could be judged. A rule without its evidence is not judged, never held.';
  static override kind = 'DrillReport';
  static override errors = [
    'drill_run_not_found',
    'drill_violation',
    'drill_unfinished',
    'flag_invalid',
    'report_unwritable',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --report junit=drills.xml',
  ];
  static override args = {
    run: string({ description: 'A run, as `drill run` names it; without it the latest of each drill.' }),
  };
  static override flags = {
    report: reportFlag({ multiple: true, multipleNonGreedy: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { DrillStore } = await import('../../drills/store.ts');
    const store = new DrillStore();
    const { run } = this.args;
    const runs = run === undefined ? [...(await store.latestByDrill()).values()] : [await store.read(run)];
    const unwritten = await writeReports(this.flags.report ?? [], {
      report: drillCi(runs),
      output: this.output,
    });
    const error = drillError(runs) ?? unwritten[0];
    return {
      kind: DrillReport.kind,
      data: { held: allHeld(runs), runs: runs.map(drillData) },
      names: runs.map(({ id }) => `run/${id}`),
      view: () => (run === undefined ? [runsTable(runs)] : runs.flatMap(runSections)),
      warnings: unwritten.filter((failure) => failure !== error).map(({ message }) => message),
      ...(error === undefined ? {} : { error }),
    };
  }
}
