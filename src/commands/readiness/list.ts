import { CapstanCommand } from '../../cli/base-command.ts';
import { table } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ReadinessList extends CapstanCommand<typeof ReadinessList> {
  static override summary = 'The readiness checks: what each one promises, and whom it asks.';
  static override kind = 'ReadinessCheckList';
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  protected override async execute(): Promise<CommandResult> {
    const { CHECKS } = await import('../../checks/registry.ts');
    const checks = CHECKS.map(({ name, claim, asks }) => ({ name, claim, asks }));
    return {
      kind: ReadinessList.kind,
      data: { checks },
      names: checks.map(({ name }) => `check/${name}`),
      view: () => [
        table({
          columns: [
            { header: 'CHECK', value: (row) => row.name },
            { header: 'PROMISE', value: (row) => row.claim, shrink: true },
            { header: 'ASKS', value: (row) => row.asks, wide: true, shrink: true },
          ],
          rows: checks,
        }),
      ],
    };
  }
}
