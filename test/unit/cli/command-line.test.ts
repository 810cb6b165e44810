import { describe, expect, test } from 'vitest';
import { findCommand, unknownCommand } from '../../../src/cli/command-line.ts';
import { formatOf } from '../../../src/cli/output-format.ts';
import { parserFailure } from '../../../src/cli/failure.ts';
import { usageError } from '../../../src/domain/errors.ts';

const IDS = ['status', 'map:route', 'map:show', 'sandbox:link:cut', 'sandbox:up'];
const find = (line: string) => findCommand(line === '' ? [] : line.split(' '), IDS);

describe('a command line', () => {
  test('names its command by the longest run of words', () => {
    expect(find('sandbox link cut new-york madrid')).toEqual({
      kind: 'command',
      id: 'sandbox:link:cut',
      rest: ['new-york', 'madrid'],
    });
  });

  test.each(['-o json map route MUNI-77', 'map -o json route MUNI-77', 'map route -o json MUNI-77'])(
    'takes global flags anywhere: %s',
    (line) => {
      expect(find(line)).toEqual({ kind: 'command', id: 'map:route', rest: ['-o', 'json', 'MUNI-77'] });
    },
  );

  test('asks for help anywhere before --, and not after it', () => {
    expect(find('map route --help')).toEqual({ kind: 'help', words: ['map', 'route'] });
    expect(find('help map')).toEqual({ kind: 'help', words: ['map'] });
    expect(find('map route -- --help')).toMatchObject({ kind: 'command' });
    expect(find('')).toEqual({ kind: 'help', words: [] });
  });

  test('tells a noun without its verb from a word that is no command', () => {
    expect(find('map')).toEqual({ kind: 'topic', words: ['map'] });
    expect(find('map rout')).toEqual({ kind: 'unknown', words: ['map', 'rout'] });
  });

  test('suggests the nearest command, and none that is far', () => {
    expect(unknownCommand(['map', 'rout'], IDS)).toMatchObject({
      code: 'command_not_found',
      exit: 2,
      next: 'capstan map route --help',
    });
    expect(unknownCommand(['frobnicate'], IDS).data).toMatchObject({ nearest: null });
  });
});

describe('the output format', () => {
  test.each([
    [['-o', 'json'], 'json'],
    [['-ojson'], 'json'],
    [['-o=yaml'], 'yaml'],
    [['--output=wide'], 'wide'],
    [['--output', 'name'], 'name'],
    [['--json'], 'json'],
    [['-o', 'xml'], 'table'],
    [['--', '--json'], 'table'],
    [[], 'table'],
  ] as const)('of %j is %s', (argv, format) => {
    expect(formatOf(argv)).toBe(format);
  });
});

test('what a flag’s own parser threw keeps its code and loses the framework’s wrapping', () => {
  const thrown = usageError('Parsing --timeout \n\t"1x" is not a duration\nSee more help with --help', {
    code: 'flag_invalid',
  });
  expect(parserFailure(thrown, 'failover:run')).toMatchObject({
    message: '--timeout: "1x" is not a duration',
    code: 'flag_invalid',
    next: 'capstan failover run --help',
  });
});

test('a required flag that is missing is named as it is typed', () => {
  const thrown = new Error(
    'The following error occurred:\n  Missing required flag reason\nSee more help with --help',
  );
  expect(parserFailure(thrown, 'cluster:pause')).toMatchObject({
    code: 'flag_missing',
    message: 'Missing required flag --reason',
    next: 'capstan cluster pause --help',
  });
});
