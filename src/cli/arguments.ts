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

/** What `-o name` prints can be given back: `cluster/c1` for `c1` where a cluster is wanted. */
const withoutKind = (input: string, kind: string): string =>
  input.startsWith(`${kind}/`) ? input.slice(kind.length + 1) : input;

const named = (kind: string) =>
  custom({
    parse: async (input) => {
      const name = withoutKind(input, kind);
      if (isName(name)) return name;
      throw usageError(`${JSON.stringify(input)} is not a name (${NAME_RULE})`, {
        code: 'name_invalid',
      });
    },
  });

export const clusterArgument = named('cluster');
export const memberArgument = named('member');
export const gatewayArgument = named('gateway');
export const projectorArgument = named('projector');

const idOf = (kind: string) => custom({ parse: async (input) => withoutKind(input, kind) });

export const operationArgument = idOf('operation');
/** A loss is named by the failover that made it. */
export const lossArgument = idOf('loss');
export const shardArgument = custom<number>({
  parse: async (input) => wholeNumber(withoutKind(input, 'shard'), 'a shard'),
});
