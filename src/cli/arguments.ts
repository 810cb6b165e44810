import { custom } from '@oclif/core/args';
import { usageError } from '../domain/errors.ts';
import { isName, NAME_RULE } from '../domain/identifiers.ts';

/** Reads a whole number from 0 on. Throws CapstanError `argument_invalid` (exit 2). */
export function wholeNumber(input: string, what: string): number {
  if (!/^\d{1,9}$/.test(input)) {
    throw usageError(`${JSON.stringify(input.slice(0, 80))} is not ${what}: a whole number from 0 on`, {
      code: 'argument_invalid',
    });
  }
  return Number(input);
}

/** The name of a cluster, member or gateway as an argument. */
export const nameArgument = custom({
  parse: async (input) => {
    if (isName(input)) return input;
    throw usageError(`${JSON.stringify(input)} is not a name (${NAME_RULE})`, {
      code: 'name_invalid',
    });
  },
});
