import { operationArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { watchFlags } from '../../cli/flags.ts';
import { statusSections, summarizeRebalance } from '../../cli/present/rebalance-status.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { RebalanceStatusData } from '../../cli/schemas/rebalance.ts';
import { readRebalanceStatuses } from '../../controlplane/rebalance/read-statuses.ts';

export default class RebalanceStatus extends CapstanCommand<typeof RebalanceStatus> {
  static override summary =
    'Each stream of a rebalance: its phase, copy, lag, comparison, and what it waits for.';
  static override kind = 'RebalanceStatus';
  static override errors = [...ETCD_ERRORS, 'operation_not_found', 'rebalance_not_found'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> rebalance-20261122t205916-3f9a --watch',
    '<%= config.bin %> <%= command.id %> -o json | jq .data.rebalances[].streams[].lagBytes',
  ];
  static override args = {
    operation: operationArgument({ description: 'The rebalance’s operation; else all that are under way.' }),
  };
  static override flags = { ...watchFlags };

  protected override async execute(): Promise<CommandResult> {
    const id = this.args.operation;
    const found = await lookUp(this.flags.config, (where) => readRebalanceStatuses({ ...where, id }));
    const data: RebalanceStatusData = { rebalances: found.map(summarizeRebalance) };
    return {
      kind: RebalanceStatus.kind,
      data,
      names: data.rebalances.map(({ operation }) => `operation/${operation}`),
      view: () => statusSections(data),
    };
  }
}
