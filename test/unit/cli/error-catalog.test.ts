import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERROR_CATALOG } from '../../../src/cli/error-catalog.ts';
import { EXIT_MEANINGS } from '../../../src/cli/exit-codes.ts';

const root = join(import.meta.dirname, '../../..');
/** What a command can throw: the gateway's problem codes and the agent's inner ones have catalogues of their own. */
const FOLDERS = [
  'config',
  'controlplane',
  'cli',
  'commands',
  'checks',
  'drills',
  'sandbox',
  'etcd',
  'domain',
];
const INNER = new Set([
  'custom',
  'no_outcome',
  'etcd_lease_gone',
  'authority_transition_refused',
  'map_change_too_large',
  'transaction_too_large',
  'automatic_stood_down',
  'map_history_inconsistent',
]);

test('every error code that a command can meet is in the catalogue', async () => {
  const missing = new Set<string>();
  for (const folder of FOLDERS) {
    for await (const file of glob(`src/${folder}/**/*.ts`, { cwd: root })) {
      const text = readFileSync(join(root, file), 'utf8');
      for (const [, code = ''] of text.matchAll(/\bcode: '([a-z_]+)'/g)) {
        if (!Object.hasOwn(ERROR_CATALOG, code) && !INNER.has(code)) missing.add(`${code} (${file})`);
      }
    }
  }
  expect([...missing]).toEqual([]);
});

/** The rows of a document's tables, whatever their padding. */
const rowsOf = (markdown: string) =>
  new Set(
    markdown
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .map((line) => line.replaceAll(/\s*\|\s*/g, '|')),
  );

test('docs/cli.md lists every code with its exit status', () => {
  const rows = rowsOf(readFileSync(join(root, 'docs/cli.md'), 'utf8'));
  const expected = Object.entries(ERROR_CATALOG).map(
    ([code, { exit, when }]) => `|\`${code}\`|${exit}|${when}|`,
  );
  expect(expected.filter((row) => !rows.has(row))).toEqual([]);
});

test('docs/cli.md lists every exit status', () => {
  const rows = rowsOf(readFileSync(join(root, 'docs/cli.md'), 'utf8'));
  const expected = Object.entries(EXIT_MEANINGS).map(([status, meaning]) => `|${status}|${meaning}|`);
  expect(expected.filter((row) => !rows.has(row))).toEqual([]);
});
