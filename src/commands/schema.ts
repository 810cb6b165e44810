import { string } from '@oclif/core/args';
import { CapstanCommand } from '../cli/base-command.ts';
import { table, text } from '../cli/render/section.ts';
import type { CommandResult } from '../cli/result.ts';
import { usageError } from '../domain/errors.ts';

export default class Schema extends CapstanCommand<typeof Schema> {
  static override summary =
    'The JSON Schema of what a command prints with -o json; without a kind, the kinds.';
  static override kind = 'Schema';
  static override errors = ['schema_unknown'] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> MapRoute',
    '<%= config.bin %> <%= command.id %> Status -o json | jq .data.schema',
  ];
  static override args = { kind: string({ description: 'A kind, such as MapRoute.' }) };

  protected override async execute(): Promise<CommandResult> {
    const { kind } = this.args;
    const { DATA_SCHEMAS, jsonSchemaOf } = await import('../cli/schemas/registry.ts');
    const kinds = Object.keys(DATA_SCHEMAS).toSorted();
    if (kind === undefined) {
      return {
        kind: 'SchemaList',
        data: { kinds },
        names: kinds,
        view: () => [
          table({ columns: [{ header: 'KIND', value: (row) => row }], rows: kinds }),
          text('capstan schema <kind> prints one'),
        ],
      };
    }
    const schema = jsonSchemaOf(kind);
    if (schema === undefined) {
      throw usageError(`no command answers with kind ${JSON.stringify(kind)}`, {
        code: 'schema_unknown',
        next: 'capstan schema lists the kinds',
        data: { kinds },
      });
    }
    return {
      kind: Schema.kind,
      data: { kind, schema },
      names: [kind],
      view: () => [text(JSON.stringify(schema, null, 2))],
    };
  }
}
