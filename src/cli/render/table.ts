import { stripVTControlCharacters } from 'node:util';
import type { Section, TableSection } from './section.ts';
import { toneOf, type Style } from './style.ts';

export interface Layout {
  readonly wide: boolean;
  /** The terminal's columns; undefined where nothing limits the width (a pipe, a file). */
  readonly columns: number | undefined;
  readonly style: Style;
}

const GAP = 2;
const NARROWEST = 8;

/** Sections as text for people, each followed by a newline, an empty line between two. */
export async function renderSections(sections: readonly Section[], layout: Layout): Promise<string> {
  const parts: string[] = [];
  for (const section of sections) {
    if (section.kind === 'text') parts.push(section.text);
    else if (section.kind === 'facts')
      parts.push(titled(section.title, renderFacts(section.facts, layout), layout));
    else parts.push(titled(section.title, await renderTable(section, layout), layout));
  }
  return parts.length === 0 ? '' : `${parts.map((part) => part.replace(/\n+$/, '')).join('\n\n')}\n`;
}

const titled = (title: string | undefined, body: string, { style }: Layout) =>
  title === undefined ? body : `${style('strong', title)}\n${body}`;

function renderFacts(entries: readonly (readonly [string, string])[], { style }: Layout): string {
  const width = Math.max(0, ...entries.map(([label]) => label.length));
  return entries
    .map(([label, value]) => {
      const [first = '', ...rest] = value.split('\n');
      const head = `${style('dim', label.padEnd(width + GAP))}${toned(first, style)}`;
      return [head, ...rest.map((line) => ' '.repeat(width + GAP) + line)].join('\n');
    })
    .join('\n');
}

async function renderTable(section: TableSection, layout: Layout): Promise<string> {
  const shown = section.columns.flatMap((column, index) => (layout.wide || !column.wide ? [index] : []));
  if (section.rows.length === 0) return section.empty;
  const columns = shown.map((index) => section.columns[index] ?? { header: '' });
  const rows = section.rows.map((row) => shown.map((index) => oneLine(row[index] ?? '')));
  const natural = columns.map((column, index) =>
    Math.max(column.header.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  const widths = fit(
    natural,
    columns.map((column) => column.shrink === true),
    layout.columns,
  );
  const { default: Table } = await import('cli-table3');
  const out = new Table({
    head: columns.map((column) => layout.style('dim', column.header)),
    colWidths: widths.map((width) => width + GAP),
    colAligns: columns.map((column) => column.align ?? 'left'),
    chars: PLAIN,
    style: { 'padding-left': 0, 'padding-right': GAP, head: [], border: [], compact: true },
  });
  for (const row of rows) {
    out.push(row.map((value, index) => alignedCell(value, widths[index] ?? value.length, layout.style)));
  }
  return trimLines(out.toString());
}

const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};

const oneLine = (value: string) => stripVTControlCharacters(value).replaceAll(/\s*\n\s*/g, ' ');

function toned(word: string, style: Style): string {
  const tone = toneOf(word);
  return tone === undefined ? word : style(tone, word);
}

function alignedCell(value: string, width: number, style: Style): string {
  return value.length > width ? `${value.slice(0, Math.max(1, width - 1))}…` : toned(value, style);
}

/** Takes what doesn't fit from the columns that may shrink, the widest first. */
function fit(natural: readonly number[], shrinks: readonly boolean[], columns: number | undefined): number[] {
  const widths = [...natural];
  if (columns === undefined) return widths;
  let excess = widths.reduce((sum, width) => sum + width, 0) + GAP * (widths.length - 1) - columns;
  while (excess > 0) {
    const candidates = widths.flatMap((width, index) =>
      shrinks[index] === true && width > NARROWEST ? [{ width, index }] : [],
    );
    const widest = candidates.toSorted((a, b) => b.width - a.width)[0];
    if (widest === undefined) break;
    widths[widest.index] = widest.width - 1;
    excess -= 1;
  }
  return widths;
}

const trimLines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
