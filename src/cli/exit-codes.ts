import type { ExitStatus } from '../domain/errors.ts';

/** What each exit status of the command line means; `capstan --help` and docs/cli.md print it. */
export const EXIT_MEANINGS: Readonly<Record<ExitStatus | 130 | 143, string>> = {
  0: 'ok',
  1: 'a bug in Capstan',
  2: 'wrong usage; nothing was tried',
  3: 'evaluated, and not ready',
  4: 'refused; nothing changed',
  5: 'outcome unknown, or timed out while the work goes on',
  6: 'partly done',
  7: 'something that is needed can not be reached',
  130: 'interrupted (SIGINT)',
  143: 'terminated (SIGTERM)',
};

export type ProcessStatus = ExitStatus | 130 | 143;
