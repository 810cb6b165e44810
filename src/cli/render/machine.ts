import type { Envelope } from '../envelope.ts';

/** One document, indented, with a final newline. */
export const renderJson = (envelope: Envelope): string => `${JSON.stringify(envelope, null, 2)}\n`;

/** One document on one line: what `--watch -o json` writes at each turn. */
export const renderJsonLine = (envelope: Envelope): string => `${JSON.stringify(envelope)}\n`;

/** One YAML document; with `--watch` each begins with `---`. */
export async function renderYaml(envelope: Envelope, separate: boolean): Promise<string> {
  const { stringify } = await import('yaml');
  return `${separate ? '---\n' : ''}${stringify(envelope, { lineWidth: 0 })}`;
}
