import { boolean } from '@oclif/core/flags';
import { memberArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS, MEMBERSHIP_ERRORS, OPERATION_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags, memberPlaceFlags } from '../../cli/flags.ts';
import { runMembershipCommand } from '../../cli/membership-command.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class MemberAdd extends CapstanCommand<typeof MemberAdd> {
  static override summary = 'Take a member into its cluster: it catches up first, then it votes or observes.';
  static override description =
    'Where the leader is it becomes a voter, elsewhere an observer. Its data is kept where its history fits. Journaled: kill it anywhere and capstan operation resume goes on.';
  static override kind = 'MemberAdd';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'member_unknown',
    'flags_conflict',
    'cluster_not_found',
    ...CONFIRM_ERRORS,
    ...MEMBERSHIP_ERRORS,
    ...OPERATION_ERRORS,
    'member_not_configured',
    'member_quarantined',
    'member_silent',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1-new-york-2 --dry-run',
    '<%= config.bin %> <%= command.id %> c1-new-york-2 --confirm=c1 --timeout 2m',
  ];
  static override args = { member: memberArgument({ description: 'The member.', required: true }) };
  static override flags = {
    ...memberPlaceFlags,
    learner: boolean({ summary: 'Leave it a learner: it follows and never counts.' }),
    ...changeFlags('the cluster works so'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { member } = this.args;
    const estate = await openEstate(flags.config);
    const about = {
      kind: MemberAdd.kind,
      action: 'add',
      member,
      estate,
      flags,
      output,
      interactive,
      signal,
    } as const;
    return withEtcd(estate, (etcd) => runMembershipCommand({ ...about, etcd }));
  }
}
