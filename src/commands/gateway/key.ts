import { string as stringFlag, boolean } from '@oclif/core/flags';
import { string } from '@oclif/core/args';
import { CapstanCommand } from '../../cli/base-command.ts';
import { CONFIG_ERRORS } from '../../cli/error-groups.ts';
import { openEstate } from '../../cli/estate.ts';
import { nameFlag } from '../../cli/flags.ts';
import { addKey } from '../../cli/keys-file.ts';
import { facts } from '../../cli/render/section.ts';
import type { CommandResult } from '../../cli/result.ts';
import type { GatewayKeyData } from '../../cli/schemas/estate.ts';
import { usageError } from '../../domain/errors.ts';
import { CLIENT_ID_RULE, isClientId } from '../../domain/identifiers.ts';

export default class GatewayKey extends CapstanCommand<typeof GatewayKey> {
  static override summary = 'Make a desk’s bearer key: shown once, stored as a hash only.';
  static override description =
    'With --gateway (or --file) its entry is added to the keys file, which running gateways notice by themselves.';
  static override kind = 'GatewayKey';
  static override errors = [
    ...CONFIG_ERRORS,
    'desk_invalid',
    'gateway_unknown',
    'keys_unreadable',
    'keys_invalid',
  ] as const;
  static override examples = [
    '<%= config.bin %> <%= command.id %> desk-7 --gateway new-york',
    '<%= config.bin %> <%= command.id %> ops --operator -o json',
  ];
  static override args = { desk: string({ description: 'Whose key it is.', required: true }) };
  static override flags = {
    operator: boolean({ summary: 'May set limits and settle tokens, instead of reserving and releasing.' }),
    compliance: boolean({
      summary: 'May read, across desks too, and nothing else.',
      exclusive: ['operator'],
    }),
    gateway: nameFlag({ summary: 'Add the entry to this gateway’s keys file.', exclusive: ['file'] }),
    file: stringFlag({ summary: 'Add the entry to this keys file.', helpValue: 'FILE' }),
  };

  protected override async execute(): Promise<CommandResult> {
    const { desk } = this.args;
    if (!isClientId(desk)) {
      throw usageError(`desk ${JSON.stringify(desk)}: must be ${CLIENT_ID_RULE}`, { code: 'desk_invalid' });
    }
    const role = this.flags.operator ? 'operator' : this.flags.compliance ? 'compliance' : 'desk';
    const file = await this.#file();
    const { createKey } = await import('../../gateway/keys.ts');
    const { key, entry } = createKey({ desk, role });
    if (file !== null) await addKey(file, entry);
    const data: GatewayKeyData = { changed: file !== null, desk, role, key, entry, file };
    return {
      kind: GatewayKey.kind,
      data,
      names: [key],
      warnings: ['the key is shown this once; only its hash is stored'],
      view: () => [
        facts([
          ['desk', desk],
          ['role', role],
          ['key', key],
          ['entry', JSON.stringify(entry)],
          ['added to', file ?? 'no file: add the entry to the gateway’s keys file'],
        ]),
      ],
    };
  }

  async #file(): Promise<string | null> {
    const { gateway, file } = this.flags;
    if (file !== undefined) return file;
    if (gateway === undefined) return null;
    const { config } = await openEstate(this.flags.config);
    const found = config.gateways[gateway];
    if (found !== undefined) return found.keysFile;
    throw usageError(`${config.source} has no gateway ${gateway}`, { code: 'gateway_unknown' });
  }
}
