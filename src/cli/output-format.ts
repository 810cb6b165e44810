export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

export const isOutputFormat = (text: string | undefined): text is OutputFormat =>
  OUTPUT_FORMATS.some((format) => format === text);

/** Whether a program reads the output: it gets one document and nothing else. */
export const isMachine = (format: OutputFormat): format is 'json' | 'yaml' =>
  format === 'json' || format === 'yaml';

/**
 * The format asked for, read from the raw arguments: a request that can't be parsed must still be answered in the
 * form that its caller expects. Anything after `--` is not ours.
 */
export function formatOf(argv: readonly string[]): OutputFormat {
  let format: OutputFormat = 'table';
  for (const [index, arg] of argv.entries()) {
    if (arg === '--') break;
    if (arg === '--json') return 'json';
    const value =
      arg === '-o' || arg === '--output' ? argv[index + 1] : /^(?:--output=|-o=?)(.*)$/.exec(arg)?.[1];
    if (isOutputFormat(value)) format = value;
  }
  return format;
}
