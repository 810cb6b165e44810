import { custom } from '@oclif/core/args';
import { custom as customFlag } from '@oclif/core/flags';
import { usageError } from '../domain/errors.ts';

const PART = /^(\d{1,6})(?:-(\d{1,6}))?$/;

/** `184`, `184,186` or `200-210` as shards; undefined: it can't be read. */
export function parseShards(input: string): readonly number[] | undefined {
  const shards: number[] = [];
  for (const part of input.split(',')) {
    const [, first, last = first] = PART.exec(part.trim()) ?? [];
    if (first === undefined || Number(last) < Number(first)) return undefined;
    for (let shard = Number(first); shard <= Number(last); shard += 1) shards.push(shard);
  }
  return shards;
}

const demand = (input: string, code: string): readonly number[] => {
  const shards = parseShards(input);
  if (shards !== undefined) return shards;
  throw usageError(`${JSON.stringify(input.slice(0, 80))} names no shards: such as 184, 184,186 or 200-210`, {
    code,
  });
};

/** Shards as an argument that may be repeated. */
export const shardsArgument = custom<readonly number[]>({
  parse: async (input) => demand(input, 'argument_invalid'),
});

/** Shards in one flag. */
export const shardsFlag = customFlag<readonly number[]>({
  helpValue: 'SHARDS',
  parse: async (input) => demand(input, 'flag_invalid'),
});
