import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { shardRanges } from '../../../src/cli/present/shards.ts';
import { facts, table, text } from '../../../src/cli/render/section.ts';
import { createStyle, wantsColor } from '../../../src/cli/render/style.ts';
import { renderSections } from '../../../src/cli/render/table.ts';

const ROWS = [
  { name: 'c1-new-york-1', state: 'leading', lag: null, reason: 'a'.repeat(90) },
  { name: 'c1-madrid-1', state: 'following', lag: 12n, reason: 'short' },
];
const members = table({
  title: 'members',
  columns: [
    { header: 'MEMBER', value: (row: (typeof ROWS)[number]) => row.name },
    { header: 'STATE', value: (row) => row.state },
    { header: 'LAG', value: (row) => row.lag, align: 'right', wide: true },
    { header: 'REASON', value: (row) => row.reason, shrink: true },
  ],
  rows: ROWS,
});
const render = (columns: number | undefined, options: { wide?: boolean; color?: boolean } = {}) =>
  renderSections([members], {
    wide: options.wide ?? false,
    columns,
    style: createStyle(options.color ?? false),
  });
const widest = (output: string) => Math.max(...output.split('\n').map((line) => line.length));

describe('a table', () => {
  test('fits 80 columns by shortening what may shrink, and says so with an ellipsis', async () => {
    const output = await render(80);
    expect(widest(output)).toBeLessThanOrEqual(80);
    expect(output).toContain('c1-new-york-1');
    expect(output).toContain('…');
  });

  test('shows everything at 140 columns, and in a pipe', async () => {
    expect(await render(140)).toContain('a'.repeat(90));
    expect(await render(undefined)).toContain('a'.repeat(90));
  });

  test('shows its wide columns on request, and an unknown figure as a dash', async () => {
    expect(await render(undefined)).not.toContain('LAG');
    const wide = await render(undefined, { wide: true });
    expect(wide.split('\n')[2]).toMatch(/^c1-new-york-1 +leading +- +a+$/);
  });

  test('says the same with colour and without', async () => {
    const colored = await render(80, { color: true });
    expect(colored).not.toBe(await render(80));
    expect(
      stripVTControlCharacters(colored)
        .trimEnd()
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual((await render(80)).trimEnd().split('\n'));
  });

  test('says so when it has no rows', async () => {
    const empty = table({ columns: [{ header: 'X', value: () => '' }], rows: [], empty: 'no operations' });
    const layout = { wide: false, columns: 80, style: createStyle(false) };
    expect(await renderSections([empty, text('end')], layout)).toBe('no operations\n\nend\n');
  });

  test('keeps one row on one line, whatever a cell holds', async () => {
    const odd = table({ columns: [{ header: 'X', value: () => 'a\nb\u001B[2J' }], rows: [1] });
    const output = await renderSections([odd], { wide: false, columns: 80, style: createStyle(false) });
    expect(output).toBe('X\na b\n');
  });
});

test('facts line up', async () => {
  const section = facts([
    ['shard', 184],
    ['generation', null],
  ]);
  const layout = { wide: false, columns: 80, style: createStyle(false) };
  expect(await renderSections([section], layout)).toBe('shard       184\ngeneration  -\n');
});

test.each([
  [{ isTerminal: true, noColorFlag: false, env: {} }, true],
  [{ isTerminal: false, noColorFlag: false, env: {} }, false],
  [{ isTerminal: true, noColorFlag: true, env: {} }, false],
  [{ isTerminal: true, noColorFlag: false, env: { NO_COLOR: '1' } }, false],
  [{ isTerminal: true, noColorFlag: false, env: { TERM: 'dumb' } }, false],
])('colour is asked for as it should be: %j', (options, expected) => {
  expect(wantsColor(options)).toBe(expected);
});

test.each([
  [[], ''],
  [[3], '3'],
  [[0, 1, 2, 7], '0-2, 7'],
  [[0, 2, 4, 6], '0-6 by 2'],
  [[0, 1], '0-1'],
])('the shards %j read %j', (shards, expected) => {
  expect(shardRanges(shards)).toBe(expected);
});
