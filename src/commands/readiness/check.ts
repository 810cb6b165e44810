import { setTimeout as delay } from 'node:timers/promises';
import { boolean, string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIG_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { interruptedError } from '../../cli/failure.ts';
import { durationFlag, watchFlags } from '../../cli/flags.ts';
import {
  readinessCi,
  readinessData,
  readinessError,
  readinessSections,
} from '../../cli/present/readiness.ts';
import { reportFlag, writeReports } from '../../cli/report.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { ReadinessReport } from '../../checks/types.ts';

const AGAIN_AFTER_MS = 1_000;

export default class ReadinessCheck extends CapstanCommand<typeof ReadinessCheck> {
  static override summary =
    'Whether every promise can be kept now. Exit 0: ready; 3: evaluated, and not ready.';
  static override description =
    'A check that failed, one that could not be evaluated (unknown) and one that does not apply (skipped) are three things; unknown is not ready. An etcd that can’t be asked makes every check unknown.';
  static override kind = 'ReadinessReport';
  static override errors = [
    ...CONFIG_ERRORS,
    'secret_missing',
    'not_ready',
    'check_unknown',
    'flag_invalid',
    'report_unwritable',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> -o wide',
    '<%= config.bin %> <%= command.id %> --wait --timeout 1m',
    '<%= config.bin %> <%= command.id %> --report junit=readiness.xml --report github',
  ];
  static override flags = {
    check: string({
      summary: 'Only this check; may be repeated.',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'NAME',
    }),
    report: reportFlag({ multiple: true, multipleNonGreedy: true }),
    wait: boolean({ summary: 'Check again until it is ready or the time is up.' }),
    timeout: durationFlag({ summary: 'How long --wait goes on.', default: 120_000 }),
    ...watchFlags,
  };

  protected override async execute(): Promise<CommandResult> {
    const { check, report: reports, wait, timeout } = this.flags;
    const { signal } = this;
    const estate = await openEstate(this.flags.config);
    const [{ selectChecks }, { runChecks }] = await Promise.all([
      import('../../checks/registry.ts'),
      import('../../checks/run-checks.ts'),
    ]);
    const checks = selectChecks(check ?? []);
    const { config, keys, region } = estate;
    const until = wait ? performance.now() + timeout : 0;
    const report = await withEtcd(estate, async (etcd) => {
      let latest: ReadinessReport = await runChecks({ checks, config, keys, region, etcd, signal });
      while (!latest.ready && performance.now() < until && !signal.aborted) {
        await delay(AGAIN_AFTER_MS, undefined, { signal }).catch(() => undefined);
        latest = await runChecks({ checks, config, keys, region, etcd, signal });
      }
      return latest;
    });
    // Nobody judged what an interrupted run left unknown: that is no verdict.
    if (signal.aborted && !report.ready) throw interruptedError(signal.reason);
    const unwritten = await writeReports(reports ?? [], { report: readinessCi(report), output: this.output });
    const error = readinessError(report) ?? unwritten[0];
    return {
      kind: ReadinessCheck.kind,
      data: readinessData(report),
      // A name is one word: a subject such as `gateway new-york` must not fall apart in a shell.
      names: report.results.map((result) =>
        `${result.status}/${result.check}/${result.subject}`.replaceAll(' ', '/'),
      ),
      view: () => readinessSections(report),
      warnings: unwritten.filter((failure) => failure !== error).map(({ message }) => message),
      ...(error === undefined ? {} : { error }),
    };
  }
}
