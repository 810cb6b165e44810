import { boolean } from '@oclif/core/flags';
import { memberArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS, MEMBERSHIP_ERRORS, OPERATION_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags, memberPlaceFlags } from '../../cli/flags.ts';
import { runMembershipCommand } from '../../cli/membership-command.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class MemberRemove extends CapstanCommand<typeof MemberRemove> {
  static override summary = 'Take a member out of its cluster; it stops, and its data stays.';
  static override description =
    'First it loses its vote, then the leader stops waiting for it, then it leaves. Journaled: kill it anywhere and capstan operation resume goes on.';
  static override kind = 'MemberRemove';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'member_unknown',
    'flags_conflict',
    'cluster_not_found',
    ...CONFIRM_ERRORS,
    ...MEMBERSHIP_ERRORS,
    ...OPERATION_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1-madrid-1 --dry-run',
    '<%= config.bin %> <%= command.id %> c1-new-york-2 --accept-degraded --confirm=c1',
  ];
  static override args = { member: memberArgument({ description: 'The member.', required: true }) };
  static override flags = {
    ...memberPlaceFlags,
    'accept-degraded': boolean({
      summary: 'Remove the last voter: the leader is then its own durable set, and every answer says so.',
    }),
    ...changeFlags('the cluster works so'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { member } = this.args;
    const estate = await openEstate(flags.config);
    const about = {
      kind: MemberRemove.kind,
      action: 'remove',
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
