import { usageError, type CapstanError } from '../domain/errors.ts';

export type FoundCommand =
  | { readonly kind: 'command'; readonly id: string; readonly rest: string[] }
  | { readonly kind: 'topic'; readonly words: string[] }
  | { readonly kind: 'help'; readonly words: string[] }
  | { readonly kind: 'unknown'; readonly words: string[] };

const VALUE_FLAGS = new Set(['-o', '--output', '--config']);
const PLAIN_FLAGS = /^(--json|--no-color|--no-input|--debug|-o=?\w+|--output=.*|--config=.*)$/;

/**
 * Which command a command line names. Global flags may come before, between or after its words
 * (`capstan -o json map route MUNI-77`); ids are oclif's, with `:` between words.
 */
export function findCommand(argv: readonly string[], ids: readonly string[]): FoundCommand {
  if (argv[0] === 'help') return { kind: 'help', words: argv.slice(1).filter((arg) => !arg.startsWith('-')) };
  const words: string[] = [];
  const flags: string[] = [];
  let index = 0;
  for (; index < argv.length; index += 1) {
    const arg = argv[index] ?? '';
    if (VALUE_FLAGS.has(arg)) {
      flags.push(arg, ...argv.slice(index + 1, index + 2));
      index += 1;
    } else if (PLAIN_FLAGS.test(arg)) flags.push(arg);
    else if (arg.startsWith('-') || !leadsSomewhere([...words, arg].join(':'), ids)) break;
    else words.push(arg);
  }
  const rest = [...flags, ...argv.slice(index)];
  if (asksForHelp(argv)) return { kind: 'help', words };
  const id = words.join(':');
  if (ids.includes(id)) return { kind: 'command', id, rest };
  const next = argv[index];
  if (next !== undefined) return { kind: 'unknown', words: [...words, next] };
  return words.length === 0 ? { kind: 'help', words } : { kind: 'topic', words };
}

const leadsSomewhere = (prefix: string, ids: readonly string[]) =>
  ids.some((id) => id === prefix || id.startsWith(`${prefix}:`));

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? undefined : end).some((arg) => arg === '--help' || arg === '-h');
}

/** The error for words that name no command; suggests the nearest one. */
export function unknownCommand(words: readonly string[], ids: readonly string[]): CapstanError {
  const asked = words.join(' ');
  const nearest = ids
    .map((id) => ({ name: id.replaceAll(':', ' '), distance: editDistance(asked, id.replaceAll(':', ' ')) }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  const near = nearest !== undefined && nearest.distance <= 3;
  return usageError(`there is no command ${JSON.stringify(asked)}`, {
    code: 'command_not_found',
    next: near ? `capstan ${nearest.name} --help` : 'capstan --help lists the commands',
    data: { command: asked, nearest: near ? nearest.name : null },
  });
}

/** The error for a noun without its verb, where only a document may be printed. */
export function incompleteCommand(words: readonly string[], ids: readonly string[]): CapstanError {
  const topic = words.join(' ');
  const commands = ids
    .filter((id) => id.startsWith(`${words.join(':')}:`))
    .map((id) => id.replaceAll(':', ' '));
  return usageError(`capstan ${topic} needs a verb: ${commands.join(', ')}`, {
    code: 'command_incomplete',
    next: `capstan ${topic} --help`,
    data: { commands },
  });
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
