import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { completionScript, isShell } from '../../../src/cli/completion.ts';

const flag = (name: string, options?: string[]) => ({
  name,
  type: 'option',
  summary: name,
  options,
  input: [],
  multiple: false,
});
const commands = [
  {
    id: 'status',
    summary: 'Status',
    flags: {
      output: flag('output', ['table', 'json']),
      json: { name: 'json', type: 'boolean', summary: 'it’s JSON' },
    },
  },
  { id: 'map:route', summary: 'Route', flags: { config: flag('config') } },
  { id: 'map:show', summary: 'Show', flags: {} },
] as unknown as Parameters<typeof completionScript>[1];

const inBash = (line: string): string[] => {
  const words = line.split(' ');
  const script = `${completionScript('bash', commands)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_capstan
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split('\n').toSorted();
};

test('bash completes nouns, verbs, flags and the values of flags', () => {
  expect(inBash('capstan ')).toEqual(['map', 'status']);
  expect(inBash('capstan map ')).toEqual(['route', 'show']);
  expect(inBash('capstan map r')).toEqual(['route']);
  expect(inBash('capstan status --j')).toEqual(['--json']);
  expect(inBash('capstan status -o j')).toEqual(['json']);
  expect(inBash('capstan map route MUNI-77 --c')).toEqual(['--config=']);
});

test('fish quotes what it is given', () => {
  expect(completionScript('fish', commands)).toContain(
    "-n '__fish_seen_subcommand_from map' -a route -d 'Route'",
  );
});

test('zsh goes through its bash emulation', () => {
  expect(completionScript('zsh', commands)).toMatch(/^#compdef capstan\n/);
  expect(isShell('tcsh')).toBe(false);
});
