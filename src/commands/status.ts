import { CapstanCommand } from '../cli/base-command.ts';
import { ETCD_ERRORS } from '../cli/error-groups.ts';
import { lookUp } from '../cli/estate.ts';
import { watchFlags } from '../cli/flags.ts';
import { readStatus, statusSections } from '../cli/present/status.ts';
import type { CommandResult } from '../cli/result.ts';

export default class Status extends CapstanCommand<typeof Status> {
  static override summary = 'The estate at a glance: authority, leases, durability, RPO, operations.';
  static override kind = 'Status';
  static override errors = ETCD_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --watch',
    '<%= config.bin %> <%= command.id %> -o json | jq .data.clusters[].leader',
  ];
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const data = await lookUp(this.flags.config, (found) => readStatus({ ...found, signal: this.signal }));
    return {
      kind: Status.kind,
      data,
      view: () => statusSections(data),
      names: data.clusters.map(({ name }) => `cluster/${name}`),
    };
  }
}
