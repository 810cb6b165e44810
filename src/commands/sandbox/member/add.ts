import { clusterArgument } from '../../../cli/arguments.ts';
import { CapstanCommand } from '../../../cli/base-command.ts';
import { nameFlag } from '../../../cli/flags.ts';
import { facts } from '../../../cli/render/section.ts';
import type { CommandResult } from '../../../cli/result.ts';
import { openSandbox, sandboxFlag } from '../../../cli/sandbox.ts';

export default class SandboxMemberAdd extends CapstanCommand<typeof SandboxMemberAdd> {
  static override summary = 'Make one more member for a cluster; its agent waits for capstan member add.';
  static override description =
    'Ports, a folder, its place in capstan.yaml, its route through the link, and its agent. Each run makes another one.';
  static override kind = 'SandboxMemberAdd';
  static override errors = [
    'name_invalid',
    'sandbox_not_found',
    'sandbox_busy',
    'cluster_not_found',
    'region_unknown',
    'ports_exhausted',
    'link_unreachable',
    'sandbox_spawn_failed',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> c1 --region madrid',
    '<%= config.bin %> <%= command.id %> c1 --region new-york -o name',
  ];
  static override args = { cluster: clusterArgument({ description: 'The cluster.', required: true }) };
  static override flags = {
    name: sandboxFlag(),
    region: nameFlag({ summary: 'Where it is.', required: true }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { addSandboxMember } = await import('../../../sandbox/add-member.ts');
    const { paths } = await openSandbox(this.flags.name);
    const { cluster } = this.args;
    const { member, started } = await addSandboxMember({ paths, cluster, region: this.flags.region });
    const { name, region } = member;
    const data = { changed: true, member: name, cluster, region, started };
    return {
      kind: SandboxMemberAdd.kind,
      data,
      names: [`member/${name}`],
      view: () => [
        facts([
          ['member', name],
          ['cluster', cluster],
          ['region', region],
          ['next', `capstan member add ${name} --confirm=${cluster}`],
        ]),
      ],
    };
  }
}
