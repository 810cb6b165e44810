import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIG_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';

export default class ProjectionInit extends CapstanCommand<typeof ProjectionInit> {
  static override summary =
    'Make the projections’ database, its roles and its tables, or bring them up to date.';
  static override description = 'Needs projections.passwords.superuser. Repeats change nothing.';
  static override kind = 'ProjectionInit';
  static override errors = [
    ...CONFIG_ERRORS,
    'projections_missing',
    'secret_missing',
    'postgres_unreachable',
    'migration_failed',
    'schema_newer',
  ] as const;
  static override examples = ['<%= config.bin %> <%= command.id %>'];

  protected override async execute(): Promise<CommandResult> {
    const { config, region } = await openEstate(this.flags.config);
    const { initProjections } = await import('../../projections/init.ts');
    const made = await initProjections({ config, region });
    const data = { ...made, applied: [...made.applied], changed: made.created || made.applied.length > 0 };
    return {
      kind: ProjectionInit.kind,
      data,
      names: [`database/${data.database}`],
      view: () => [
        facts([
          ['database', data.database],
          ['result', data.changed ? `made, or brought to version ${data.version}` : 'was up to date'],
          ['applied', data.applied.join(', ')],
        ]),
      ],
    };
  }
}
