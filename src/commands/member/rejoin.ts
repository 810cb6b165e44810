import { boolean } from '@oclif/core/flags';
import { memberArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS, OPERATION_ERRORS, REJOIN_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { changeFlags } from '../../cli/flags.ts';
import { runRejoinCommand } from '../../cli/rejoin-command.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class MemberRejoin extends CapstanCommand<typeof MemberRejoin> {
  static override summary =
    'Bring a quarantined member back: salvaged, rewound or cloned, caught up, counted.';
  static override description =
    'What its data holds beyond the present log is kept first. Where a failover may have lost decisions, nothing is rewound before capstan loss sign-off.';
  static override kind = 'MemberRejoin';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'plan_drifted',
    ...REJOIN_ERRORS,
    ...CONFIRM_ERRORS,
    ...OPERATION_ERRORS,
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1-new-york-1 --dry-run',
    '<%= config.bin %> <%= command.id %> c1-new-york-1 --confirm=c1 -o json',
  ];
  static override args = { member: memberArgument({ description: 'The member.', required: true }) };
  static override flags = {
    reclone: boolean({ summary: 'Clone it anew instead of rewinding it.' }),
    ...changeFlags('it counts again'),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { member } = this.args;
    const estate = await openEstate(flags.config);
    return withEtcd(estate, (etcd) =>
      runRejoinCommand({ etcd, estate, member, flags, output, interactive, signal }),
    );
  }
}
