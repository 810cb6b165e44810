import {
  CapstanError,
  type CapstanErrorOptions,
  ExitCode,
  messageOf,
  unreachableError,
} from '../domain/errors.ts';

type Details = Omit<CapstanErrorOptions, 'exit'>;

/** What the archive holds isn't what it should be. */
export const archiveFault = (message: string, details: Details): CapstanError =>
  new CapstanError(message, { ...details, exit: ExitCode.notReady });

/** The store can't be asked, or didn't do as told. */
export const archiveUnreachable = (where: string, error: unknown): CapstanError =>
  unreachableError(`the archive at ${where} can't be used: ${messageOf(error)}`, {
    code: 'archive_unreachable',
    cause: error,
  });
