import type { Command } from '@oclif/core/command';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export const isShell = (text: string): text is Shell => SHELLS.some((shell) => shell === text);

type Described = Pick<Command.Loadable, 'id' | 'summary' | 'flags'>;

interface Entry {
  /** The words so far, `map route`; empty at the top. */
  readonly path: string;
  readonly words: readonly string[];
  /** `--output=` for a flag with a value, `--json` for one without. */
  readonly flags: readonly string[];
}

/**
 * A completion script from the commands' own descriptions: words, flags, and the values of flags that have a fixed list.
 * It asks nothing of an estate, so that pressing Tab never waits.
 */
export function completionScript(shell: Shell, commands: readonly Described[]): string {
  const entries = entriesOf(commands);
  if (shell === 'bash') return bash(entries, optionsOf(commands));
  if (shell === 'zsh')
    return `#compdef capstan\nautoload -U +X bashcompinit && bashcompinit\n${bash(entries, optionsOf(commands))}`;
  return fish(commands);
}

function entriesOf(commands: readonly Described[]): Entry[] {
  const children = new Map<string, Set<string>>();
  for (const { id } of commands) {
    const words = id.split(':');
    for (const [index, word] of words.entries()) {
      const path = words.slice(0, index).join(' ');
      children.set(path, (children.get(path) ?? new Set()).add(word));
    }
  }
  const byPath = new Map(commands.map((command) => [command.id.replaceAll(':', ' '), command]));
  const paths = [...new Set([...children.keys(), ...byPath.keys()])].toSorted();
  return paths.map((path) => ({
    path,
    words: [...(children.get(path) ?? [])].toSorted(),
    flags: Object.values(byPath.get(path)?.flags ?? {}).map(({ name, type }) =>
      type === 'option' ? `--${name}=` : `--${name}`,
    ),
  }));
}

function optionsOf(commands: readonly Described[]): Map<string, readonly string[]> {
  const options = new Map<string, readonly string[]>();
  for (const flag of commands.flatMap(({ flags }) => Object.values(flags))) {
    if (flag.type === 'option' && flag.options !== undefined) options.set(`--${flag.name}`, flag.options);
  }
  return options;
}

function bash(entries: readonly Entry[], options: ReadonlyMap<string, readonly string[]>): string {
  const cases = entries.map(
    ({ path, words, flags }) =>
      `    '${path}') words='${words.join(' ')}'; flags='${flags.join(' ')} --help' ;;`,
  );
  const paths = entries.map(({ path }) => `'${path}'`).join('|');
  const values = [...options].map(
    ([flag, list]) => `    ${flag}) COMPREPLY=($(compgen -W '${list.join(' ')}' -- "$cur")); return ;;`,
  );
  return `_capstan() {
  local cur prev path='' word words='' flags='' next
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  if [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if [[ $cur == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-1]}; cur=''; fi
  case $prev in
    -o) prev=--output ;;
  esac
  case $prev in
${values.join('\n')}
    --config) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] && continue
    next="\${path:+$path }$word"
    case $next in
      ${paths}) path=$next ;;
    esac
  done
  case $path in
${cases.join('\n')}
  esac
  if [[ $cur == -* ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -F _capstan capstan
`;
}

function fish(commands: readonly Described[]): string {
  const lines = ['complete -c capstan -f'];
  const topics = new Map<string, string>();
  for (const { id, summary, flags } of commands) {
    const words = id.split(':');
    for (const [index, word] of words.entries()) {
      const last = index === words.length - 1;
      const condition = conditionOf(words.slice(0, index));
      topics.set(
        `${condition} ${word}`,
        `complete -c capstan -n ${quoted(condition)} -a ${word}${last ? ` -d ${quoted(summary ?? '')}` : ''}`,
      );
    }
    const here = `__fish_seen_subcommand_from ${words.at(-1) ?? ''}`;
    for (const flag of Object.values(flags)) {
      const value =
        flag.type === 'option'
          ? ` -r${flag.options === undefined ? '' : ` -a ${quoted(flag.options.join(' '))}`}`
          : '';
      const char = flag.char === undefined ? '' : ` -s ${flag.char}`;
      lines.push(
        `complete -c capstan -n ${quoted(here)} -l ${flag.name}${char}${value} -d ${quoted(flag.summary ?? '')}`,
      );
    }
  }
  return `${[...lines, ...topics.values()].join('\n')}\n`;
}

const conditionOf = (before: readonly string[]) =>
  before.length === 0
    ? '__fish_use_subcommand'
    : before.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
