import { boolean, string } from '@oclif/core/flags';
import { OUTPUT_FORMATS } from './output-format.ts';

/** Flags that every command takes. */
export const globalFlags = {
  output: string({
    char: 'o',
    summary: 'How to print the result.',
    options: [...OUTPUT_FORMATS],
    default: 'table',
    helpGroup: 'GLOBAL',
  }),
  json: boolean({ summary: 'The same as -o json.', helpGroup: 'GLOBAL' }),
  'no-color': boolean({ summary: 'Plain text; NO_COLOR and TERM=dumb do the same.', helpGroup: 'GLOBAL' }),
  'no-input': boolean({ summary: 'Never ask; fail and name the flag that is missing.', helpGroup: 'GLOBAL' }),
  debug: boolean({ summary: 'Show the stack of an error.', helpGroup: 'GLOBAL' }),
  config: string({
    summary:
      'The estate’s capstan.yaml. Else CAPSTAN_CONFIG, the nearest capstan.yaml, or the running sandbox.',
    helpValue: 'FILE',
    helpGroup: 'GLOBAL',
  }),
};
