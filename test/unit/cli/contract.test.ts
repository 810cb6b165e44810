import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Plugin } from '@oclif/core/config';
import { settings } from '@oclif/core/settings';
import { beforeAll, expect, test } from 'vitest';
import { isErrorCode } from '../../../src/cli/error-catalog.ts';
import { DATA_SCHEMAS, jsonSchemaOf } from '../../../src/cli/schemas/registry.ts';

/** Snapshots of what scripts rely on: a change of the surface shows in review. Update with `vitest -u`. */
const root = join(import.meta.dirname, '../../..');
const snapshot = (name: string) => join(root, 'test/contract', name);
let commands: Plugin['manifest']['commands'];

beforeAll(async () => {
  settings.enableAutoTranspile = false;
  const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Plugin['pjson'];
  const plugin = new Plugin({
    root,
    pjson: { ...pjson, oclif: { ...pjson.oclif, commands: './src/commands' } },
    isRoot: true,
    ignoreManifest: true,
    errorOnManifestCreate: true,
    type: 'core',
  });
  await plugin.load();
  ({ commands } = plugin.manifest);
}, 60_000);

const all = () => Object.values(commands).toSorted((a, b) => (a.id < b.id ? -1 : 1));

test('the commands, their arguments, flags and errors are the published ones', async () => {
  const surface = all().map((command) => ({
    command: command.id.replaceAll(':', ' '),
    kind: command['kind'],
    ...(command.hidden ? { hidden: true } : {}),
    arguments: Object.values(command.args).map(
      ({ name, required }) => `${name}${required === true ? '' : '?'}`,
    ),
    flags: Object.values(command.flags)
      .map((flag) => {
        const char = flag.char === undefined ? '' : ` -${flag.char}`;
        const options =
          flag.type === 'option' && flag.options !== undefined ? ` ${flag.options.join('|')}` : '';
        const required = flag.required === true ? ' required' : '';
        return `--${flag.name}${char} ${flag.type}${options}${required}`;
      })
      .toSorted(),
    errors: [...((command['errors'] ?? []) as string[])].toSorted(),
  }));
  await expect(`${JSON.stringify(surface, null, 2)}\n`).toMatchFileSnapshot(snapshot('commands.json'));
});

test('the JSON Schemas are the published ones', async () => {
  const schemas = Object.fromEntries(
    Object.keys(DATA_SCHEMAS)
      .toSorted()
      .map((kind) => [kind, jsonSchemaOf(kind)]),
  );
  await expect(`${JSON.stringify(schemas, null, 2)}\n`).toMatchFileSnapshot(snapshot('schemas.json'));
});

test('every command has a published kind, a summary and an example, and lists only known errors', () => {
  const faults = all().flatMap((command) => {
    const errors = (command['errors'] ?? []) as string[];
    const strange = errors.filter((code) => !isErrorCode(code));
    return [
      ...(Object.hasOwn(DATA_SCHEMAS, String(command['kind']))
        ? []
        : [`${command.id}: no schema for its kind`]),
      ...(command.summary?.endsWith('.') === true ? [] : [`${command.id}: no summary`]),
      ...(command.hidden || (command.examples ?? []).length > 0 ? [] : [`${command.id}: no example`]),
      ...strange.map((code) => `${command.id}: ${code} is not in the catalogue`),
    ];
  });
  expect(faults).toEqual([]);
});

test('docs/cli.md lists every command', () => {
  const docs = readFileSync(join(root, 'docs/cli.md'), 'utf8');
  const visible = all().filter(({ hidden }) => !hidden);
  const missing = visible.filter(({ id }) => !docs.includes(`\`capstan ${id.replaceAll(':', ' ')}`));
  expect(missing.map(({ id }) => id)).toEqual([]);
});
