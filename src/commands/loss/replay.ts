import { string as stringFlag } from '@oclif/core/flags';
import { lossArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { durationFlag } from '../../cli/flags.ts';
import { replayCommand } from '../../cli/loss-command.ts';
import { replaySection } from '../../cli/present/loss.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class LossReplay extends CapstanCommand<typeof LossReplay> {
  static override summary = 'Send lost decisions again under their own tokens, each decided anew.';
  static override description =
    'Without --token: all that were confirmed, in the order of the log. It may be repeated: a token that was decided meanwhile answers with its outcome.';
  static override kind = 'LossReplay';
  static override errors = [
    ...ETCD_ERRORS,
    'loss_not_found',
    'loss_open',
    'loss_token_unknown',
    'loss_replay_incomplete',
    ...CONFIRM_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> failover-20261122t205916-3f9a --token tok-77 --confirm=c1',
  ];
  static override args = {
    operation: lossArgument({ description: 'The failover’s id.', required: true }),
  };
  static override flags = {
    token: stringFlag({ summary: 'Only this one; may be repeated.', helpValue: 'TOKEN', multiple: true }),
    confirm: stringFlag({ summary: 'Approve without a question: the cluster’s name.', helpValue: 'CLUSTER' }),
    timeout: durationFlag({ summary: 'For each decision at most this long.', default: 10_000 }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { operation } = this.args;
    const { token: tokens = [], confirm, timeout: deadlineMs } = this.flags;
    const estate = await openEstate(this.flags.config);
    const { data, error } = await withEtcd(estate, (etcd) =>
      replayCommand({
        etcd,
        estate,
        operation,
        tokens,
        confirm,
        deadlineMs,
        interactive: this.interactive,
        output: this.output,
        signal: this.signal,
      }),
    );
    return {
      kind: LossReplay.kind,
      data,
      names: data.outcomes.map(({ token }) => `token/${token}`),
      view: () => [replaySection(data.outcomes)],
      ...(error === undefined ? {} : { error }),
    };
  }
}
