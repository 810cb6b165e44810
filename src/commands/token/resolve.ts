import { string } from '@oclif/core/args';
import { boolean, string as stringFlag } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { durationFlag } from '../../cli/flags.ts';
import { settleCommand } from '../../cli/settle-command.ts';
import {
  checkTokenRequest,
  tokenData,
  tokenError,
  tokenSections,
  withAuthorities,
} from '../../cli/token-command.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class TokenResolve extends CapstanCommand<typeof TokenResolve> {
  static override summary =
    'What became of a reservation token, from its authority alone, with the evidence.';
  static override description =
    'Without --issuer every cluster’s authority is asked; one that can’t be asked makes the answer unknown, never "not found".';
  static override kind = 'TokenResolution';
  static override errors = [
    ...ETCD_ERRORS,
    'token_invalid',
    'issuer_invalid',
    'token_not_found',
    'token_unknown',
    'flags_conflict',
    ...CONFIRM_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> tok-77 --issuer MUNI-77',
    '<%= config.bin %> <%= command.id %> tok-77 --issuer MUNI-77 --settle --yes',
  ];
  static override args = {
    token: string({ description: 'The reservation token, such as tok-77.', required: true }),
  };
  static override flags = {
    issuer: stringFlag({ summary: 'The issuer that it was sent for.', helpValue: 'ISSUER' }),
    settle: boolean({
      summary: 'If it is absent, make that final: a late original meets `abandoned`.',
      dependsOn: ['issuer'],
    }),
    yes: boolean({ char: 'y', summary: 'Settle without a question.', dependsOn: ['settle'] }),
    timeout: durationFlag({ summary: 'Ask for at most this long.', default: 5_000 }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { token } = this.args;
    const { issuer, settle, yes, timeout: deadlineMs } = this.flags;
    checkTokenRequest({ token, issuer });
    const { interactive } = this;
    const estate = await openEstate(this.flags.config);
    const { resolveByToken } = await import('../../gateway/token-resolution.ts');
    const { data, warnings } = await withEtcd(estate, (etcd) =>
      withAuthorities({ etcd, estate }, async (asking) => {
        const request = { ...asking, token, deadlineMs };
        const found = await resolveByToken({ ...request, issuer });
        if (!settle || issuer === undefined || !found.settleable)
          return { data: tokenData(found, false), warnings: [] };
        return settleCommand({ etcd, keys: estate.keys, request: { ...request, issuer }, interactive, yes });
      }),
    );
    const error = tokenError(data);
    return {
      kind: TokenResolve.kind,
      data,
      names: [`token/${token}`],
      view: () => tokenSections(data),
      warnings,
      ...(error === undefined ? {} : { error }),
    };
  }
}
