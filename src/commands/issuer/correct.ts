import { string } from '@oclif/core/args';
import { boolean, string as stringFlag } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { correctCommand, correctSections } from '../../cli/correct-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { durationFlag } from '../../cli/flags.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class IssuerCorrect extends CapstanCommand<typeof IssuerCorrect> {
  static override summary = 'Set a limit right with a reason: a corrective event in the log.';
  static override description =
    'The projections follow by themselves: none is ever edited by hand. Sent again under the same --token (and by the same actor) it happens once.';
  static override kind = 'IssuerCorrect';
  static override errors = [
    ...ETCD_ERRORS,
    'issuer_invalid',
    'token_invalid',
    'flag_invalid',
    'issuer_not_found',
    'issuer_unread',
    'postgres_unreachable',
    'correction_refused',
    'correction_unknown',
    ...CONFIRM_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> MUNI-77 --limit 5000000.00 --reason "Wrong limit, OPS-4711" --dry-run',
    '<%= config.bin %> <%= command.id %> MUNI-77 --limit 5000000.00 --reason "Wrong limit, OPS-4711" --confirm=MUNI-77',
  ];
  static override args = {
    issuer: string({ description: 'The issuer, such as MUNI-77.', required: true }),
  };
  static override flags = {
    limit: stringFlag({ summary: 'What the limit should be.', helpValue: 'AMOUNT', required: true }),
    reason: stringFlag({ summary: 'Why; it stays in the log.', helpValue: 'TEXT', required: true }),
    token: stringFlag({
      summary: 'The correction’s reservation token; made up unless given.',
      helpValue: 'TOKEN',
    }),
    'dry-run': boolean({ summary: 'Show before and after; change nothing.' }),
    confirm: stringFlag({ summary: 'Approve without a question: the issuer’s name.', helpValue: 'ISSUER' }),
    timeout: durationFlag({ summary: 'Ask for at most this long.', default: 10_000 }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { limit, reason, token, confirm, timeout: deadlineMs } = this.flags;
    const estate = await openEstate(this.flags.config);
    const { data, error, warnings } = await withEtcd(estate, (etcd) =>
      correctCommand({
        etcd,
        estate,
        issuer: this.args.issuer,
        limit,
        reason,
        token,
        dryRun: this.flags['dry-run'],
        confirm,
        deadlineMs,
        interactive: this.interactive,
        output: this.output,
      }),
    );
    return {
      kind: IssuerCorrect.kind,
      data,
      names: [`token/${data.token}`],
      view: () => correctSections(data),
      warnings,
      ...(error === undefined ? {} : { error }),
    };
  }
}
