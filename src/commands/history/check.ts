import { string } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { openInput } from '../../cli/input.ts';
import { historyData, historyError, historySections, historyWarnings } from '../../cli/present/history.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class HistoryCheck extends CapstanCommand<typeof HistoryCheck> {
  static override summary =
    'Whether what clients saw keeps every promise. Exit 0: no rule is broken; 3: one is.';
  static override description =
    'A history is JSON Lines: each request and each answer, by one recorder with one clock; src/drills/history/types.ts has the form. A rule without its evidence is not judged, never held. A rule that is broken is shown by the fewest lines that still break it.';
  static override kind = 'HistoryVerdict';
  static override errors = [
    'history_unreadable',
    'history_invalid',
    'history_empty',
    'history_violation',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> history.jsonl',
    'zcat history.jsonl.gz | <%= config.bin %> <%= command.id %> - -o json',
  ];
  static override args = {
    file: string({ description: 'The history; - reads it from stdin.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { file } = this.args;
    const [{ readHistory }, { Checker }, { smallestExcerpt }] = await Promise.all([
      import('../../drills/history/read.ts'),
      import('../../drills/checker/check.ts'),
      import('../../drills/checker/excerpt.ts'),
    ]);
    const checker = new Checker();
    await readHistory(openInput(file), (line) => checker.add(line));
    const verdict = checker.verdict();
    const excerpt = smallestExcerpt(verdict.violations);
    const error = historyError(verdict);
    return {
      kind: HistoryCheck.kind,
      data: historyData(verdict, excerpt),
      names: verdict.rules.map(({ rule, status }) => `${status.replaceAll(' ', '-')}/${rule}`),
      view: () => historySections(verdict, excerpt),
      warnings: historyWarnings(verdict),
      ...(error === undefined ? {} : { error }),
    };
  }
}
