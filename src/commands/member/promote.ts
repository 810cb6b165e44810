import { memberArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS, MEMBERSHIP_ERRORS, OPERATION_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags, memberPlaceFlags } from '../../cli/flags.ts';
import { runMembershipCommand } from '../../cli/membership-command.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class MemberPromote extends CapstanCommand<typeof MemberPromote> {
  static override summary =
    'Make a learner that has caught up a voter, or an observer in another region than the leader’s.';
  static override description =
    'The epoch is committed before it votes. Journaled: kill it anywhere and capstan operation resume goes on.';
  static override kind = 'MemberPromote';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'member_unknown',
    'flags_conflict',
    'cluster_not_found',
    ...CONFIRM_ERRORS,
    ...MEMBERSHIP_ERRORS,
    ...OPERATION_ERRORS,
    'member_quarantined',
    'member_silent',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %> c1-new-york-2 --confirm=c1'];
  static override args = { member: memberArgument({ description: 'The member.', required: true }) };
  static override flags = {
    ...memberPlaceFlags,
    ...changeFlags('the cluster works so'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { member } = this.args;
    const estate = await openEstate(flags.config);
    const about = {
      kind: MemberPromote.kind,
      action: 'promote',
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
