import { string } from '@oclif/core/flags';
import { usageError } from '../domain/errors.ts';
import { countFlag, nameFlag } from './flags.ts';

const WORDS_MAX = 500;

/** What only a failover to another region takes. */
export const regionalFlags = {
  region: nameFlag({
    summary: 'Hand over to this other region, from what its member holds: it may lose decisions.',
    helpValue: 'REGION',
  }),
  'accept-loss': countFlag(0)({
    summary: 'Accept up to this many lost decisions, when the forecast is over the RPO budget or not known.',
    dependsOn: ['region'],
  }),
  'attest-isolated': string({
    summary: 'Your word that the old leader can confirm nothing any more, and why: nothing is waited for.',
    helpValue: 'TEXT',
    dependsOn: ['region'],
    parse: async (input) => {
      const words = input.trim();
      if (words !== '' && words.length <= WORDS_MAX) return words;
      throw usageError(`--attest-isolated says who or what isolates it, in 1 to ${WORDS_MAX} characters`, {
        code: 'flag_invalid',
      });
    },
  }),
};
