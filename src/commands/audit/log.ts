import { string } from '@oclif/core/flags';
import { CapstanCommand } from '../../cli/base-command.ts';
import { ETCD_ERRORS } from '../../cli/error-groups.ts';
import { lookUp } from '../../cli/estate.ts';
import { countFlag } from '../../cli/flags.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import { listAudit } from '../../controlplane/audit.ts';

export default class AuditLog extends CapstanCommand<typeof AuditLog> {
  static override summary = 'Every change: who, what, with which plan, before and after. The newest first.';
  static override kind = 'AuditLog';
  static override errors = ETCD_ERRORS;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --target c1 -o json',
  ];
  static override flags = {
    target: string({ summary: 'Only changes of this target, such as c1.', helpValue: 'NAME' }),
    action: string({ summary: 'Only this action, such as cluster.create.', helpValue: 'ACTION' }),
    actor: string({ summary: 'Only changes by this actor, such as alice@ops-1.', helpValue: 'ACTOR' }),
    operation: string({ summary: 'Only what belongs to this operation.', helpValue: 'ID' }),
    limit: countFlag()({ summary: 'The most to show.', default: 50 }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { target, action, actor, operation, limit } = this.flags;
    const query = Object.entries({ target, action, actor, operation }).filter(
      ([, value]) => value !== undefined,
    );
    const oldestFirst = await lookUp(this.flags.config, ({ etcd, keys }) =>
      listAudit(etcd, keys, { ...Object.fromEntries(query), limit }),
    );
    const entries = oldestFirst.toReversed();
    return {
      kind: AuditLog.kind,
      data: { entries },
      names: entries.map(({ id }) => `audit/${id}`),
      view: () => [
        table({
          columns: [
            { header: 'AT', value: (row) => row.at },
            { header: 'ACTOR', value: (row) => row.actor, shrink: true },
            { header: 'ACTION', value: (row) => row.action },
            { header: 'TARGET', value: (row) => row.target },
            { header: 'OUTCOME', value: (row) => row.outcome },
            { header: 'OPERATION', value: (row) => row.operation, wide: true },
            { header: 'PLAN', value: (row) => row.planHash, wide: true },
            { header: 'BEFORE', value: (row) => JSON.stringify(row.before), wide: true, shrink: true },
            { header: 'AFTER', value: (row) => JSON.stringify(row.after), wide: true, shrink: true },
            { header: 'REASON', value: (row) => row.reason, shrink: true },
          ],
          rows: entries,
          empty: 'no change is recorded',
        }),
      ],
    };
  }
}
