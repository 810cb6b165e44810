import { stripVTControlCharacters } from 'node:util';
import { CapstanError, ExitCode, messageOf, usageError } from '../domain/errors.ts';

const PARSER_CODES: Readonly<Record<string, string>> = {
  RequiredArgsError: 'argument_missing',
  UnexpectedArgsError: 'argument_unexpected',
  NonExistentFlagsError: 'flag_unknown',
  FlagInvalidOptionError: 'flag_invalid',
  ArgInvalidOptionError: 'argument_invalid',
  FailedFlagValidationError: 'flags_conflict',
  ViolatedFlagConstraintError: 'flags_conflict',
};

/** What oclif's parser throws, as a usage error with a stable code and a message on one line. */
export function parserFailure(error: unknown, commandId: string): CapstanError {
  const message = stripVTControlCharacters(messageOf(error))
    .replace(/\s*See more help with --help\s*$/, '')
    .replace(/^Parsing (--\S+)\s+/, '$1: ')
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/^Missing required flag (\w)/, 'Missing required flag --$1')
    .trim();
  const next = `capstan ${commandId.replaceAll(':', ' ')} --help`.replaceAll('  ', ' ');
  if (error instanceof CapstanError) {
    return new CapstanError(message, {
      code: error.code,
      exit: error.exit,
      next: error.next ?? next,
      data: error.data,
      cause: error,
    });
  }
  const name = error instanceof Error ? error.constructor.name : '';
  const code = message.startsWith('Missing required flag') ? 'flag_missing' : (PARSER_CODES[name] ?? 'usage');
  return usageError(message, { code, next, cause: error });
}

/** Anything thrown, as the error that the envelope shows: what nobody foresaw is a bug and says so. */
export function failureOf(error: unknown): CapstanError {
  if (error instanceof CapstanError) return error;
  return new CapstanError(messageOf(error) || 'an error without a message', {
    code: 'bug',
    exit: ExitCode.bug,
    next: 'run it again with --debug and report the stack',
    cause: error,
  });
}

/** The error of a run that a signal stopped before its operation could say how far it got. */
export const interruptedError = (cause: unknown): CapstanError =>
  new CapstanError('interrupted before it finished', {
    code: 'interrupted',
    exit: ExitCode.unknown,
    next: 'capstan operation list shows what is still running, if anything was started',
    cause,
  });
