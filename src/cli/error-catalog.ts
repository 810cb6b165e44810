import type { ExitStatus } from '../domain/errors.ts';

interface CatalogEntry {
  readonly exit: ExitStatus;
  /** When it occurs, in a few words. */
  readonly when: string;
}

const catalog = {
  bug: { exit: 1, when: 'something that nobody foresaw; --debug shows the stack' },
  interrupted: { exit: 5, when: 'a signal stopped the command before it finished' },
  usage: { exit: 2, when: 'the command line can not be read' },
  command_not_found: { exit: 2, when: 'there is no such command' },
  command_incomplete: { exit: 2, when: 'a noun without its verb' },
  argument_missing: { exit: 2, when: 'a required argument is missing' },
  argument_unexpected: { exit: 2, when: 'there are more arguments than the command takes' },
  argument_invalid: { exit: 2, when: 'an argument has a value that is not allowed' },
  flag_unknown: { exit: 2, when: 'the command has no such flag' },
  flag_invalid: { exit: 2, when: 'a flag has a value that is not allowed' },
  flag_missing: { exit: 2, when: 'a required flag is missing' },
  flags_conflict: { exit: 2, when: 'flags that exclude or need each other' },
} as const satisfies Record<string, CatalogEntry>;

export type ErrorCode = keyof typeof catalog;

/** Every error code of the command line with its exit status. Codes are stable: scripts branch on them. */
export const ERROR_CATALOG: Readonly<Record<ErrorCode, CatalogEntry>> = catalog;

export const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(catalog, value);
