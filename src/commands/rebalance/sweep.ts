import { boolean, string } from '@oclif/core/flags';
import { clusterArgument } from '../../cli/arguments.ts';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIRM_ERRORS, ETCD_ERRORS } from '../../cli/error-groups.ts';
import { openEstate, withEtcd } from '../../cli/estate.ts';
import { durationFlag } from '../../cli/flags.ts';
import { runSweepCommand } from '../../cli/rebalance-sweep-command.ts';
import type { CommandResult } from '../../cli/result.ts';

const TIMEOUT_MS = 60_000;

export default class RebalanceSweep extends CapstanCommand<typeof RebalanceSweep> {
  static override summary =
    'What is left on leaders of moves that are over: slots, publications, subscriptions, rows.';
  static override description = 'Looks only; with --apply the leaders’ agents are asked to drop it.';
  static override kind = 'RebalanceSweep';
  static override errors = [
    ...ETCD_ERRORS,
    'name_invalid',
    'cluster_not_found',
    ...CONFIRM_ERRORS,
    'concurrent_change',
    'wait_timed_out',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> c1 --apply --yes',
  ];
  static override args = { cluster: clusterArgument({ description: 'One cluster; else all.' }) };
  static override flags = {
    apply: boolean({ summary: 'Ask the leaders’ agents to drop what was found.' }),
    yes: boolean({ char: 'y', summary: 'Approve without a question.', dependsOn: ['apply'] }),
    reason: string({ summary: 'Why, for the audit log.', helpValue: 'TEXT', dependsOn: ['apply'] }),
    wait: boolean({ summary: 'Wait for the agents’ answers.', default: true, allowNo: true }),
    timeout: durationFlag({ summary: 'Wait at most this long for each (default 1m).' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { flags, output, interactive, signal } = this;
    const { apply, yes, reason, wait, timeout: timeoutMs = TIMEOUT_MS } = flags;
    const { cluster } = this.args;
    const estate = await openEstate(flags.config);
    const about = { cluster, apply, yes, reason, wait, timeoutMs };
    return withEtcd(estate, (etcd) =>
      runSweepCommand({ ...about, etcd, estate, output, interactive, signal }),
    );
  }
}
