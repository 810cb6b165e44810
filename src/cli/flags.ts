import { boolean, custom } from '@oclif/core/flags';
import { parseDurationMs } from '../domain/duration.ts';
import { usageError } from '../domain/errors.ts';
import { isName, NAME_RULE } from '../domain/identifiers.ts';

/** A duration such as `250ms`, `30s` or `10m`, in milliseconds. */
export const durationFlag = custom<number>({
  helpValue: 'DURATION',
  parse: async (input) => {
    const ms = parseDurationMs(input);
    if (ms === undefined) {
      throw usageError(`${JSON.stringify(input)} is not a duration such as 250ms, 30s or 10m`, {
        code: 'flag_invalid',
      });
    }
    return ms;
  },
});

/** A whole number from `min` on. */
export const countFlag = (min = 1) =>
  custom<number>({
    helpValue: 'N',
    parse: async (input) => {
      const value = Number(input);
      if (!Number.isSafeInteger(value) || value < min) {
        throw usageError(`${JSON.stringify(input)} is not a whole number from ${min} on`, {
          code: 'flag_invalid',
        });
      }
      return value;
    },
  });

/** The name of a cluster, a member or a region. */
export const nameFlag = custom({
  helpValue: 'NAME',
  parse: async (input) => {
    if (!isName(input)) {
      throw usageError(`${JSON.stringify(input)} is not a name (${NAME_RULE})`, { code: 'name_invalid' });
    }
    return input;
  },
});

export const watchFlags = {
  watch: boolean({ char: 'w', summary: 'Repeat: redraws on a terminal, one document a line with -o json.' }),
  interval: durationFlag({ summary: 'How often --watch repeats (default 2s).', dependsOn: ['watch'] }),
};
