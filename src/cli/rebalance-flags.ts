import { boolean, string } from '@oclif/core/flags';
import type { PlanLimits, RebalanceAsk } from '../controlplane/rebalance/plan-inputs.ts';
import { usageError } from '../domain/errors.ts';
import { countFlag, durationFlag, nameFlag } from './flags.ts';
import { shardsFlag } from './shard-list.ts';

/** What is to be moved, and within what bounds: the same for a plan and for its run. */
export const rebalanceFlags = {
  drain: nameFlag({
    summary: 'Move every shard off this cluster.',
    helpValue: 'CLUSTER',
    exclusive: ['shards', 'to'],
  }),
  shards: shardsFlag({ summary: 'Move these shards, such as 184,200-210.', dependsOn: ['to'] }),
  to: nameFlag({
    summary: 'The cluster that the named shards go to.',
    helpValue: 'CLUSTER',
    dependsOn: ['shards'],
  }),
  'any-region': boolean({ summary: 'Shards may leave their home region.' }),
  'max-shards': countFlag()({ summary: 'Move at most so many shards (default 1000).' }),
  tolerance: countFlag(0)({
    summary: 'How far above its fair share a cluster may get, in percent (default 10).',
    helpValue: 'PERCENT',
  }),
  pin: string({
    summary: 'Leave the shard of this issuer where it is; may be repeated.',
    helpValue: 'ISSUER',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'concurrent-copies': countFlag()({ summary: 'Streams of a cluster that copy at once (default 2).' }),
  'pause-budget': durationFlag({ summary: 'The longest pause of a cutover, instead of the contract’s.' }),
  'verify-max-age': durationFlag({
    summary: 'How old a comparison may be for a cutover to rest on it (default 10m).',
  }),
};

export interface RebalanceFlags {
  readonly drain?: string | undefined;
  readonly shards?: readonly number[] | undefined;
  readonly to?: string | undefined;
  readonly 'any-region': boolean;
  readonly 'max-shards'?: number | undefined;
  readonly tolerance?: number | undefined;
  readonly pin?: readonly string[] | undefined;
  readonly 'concurrent-copies'?: number | undefined;
  readonly 'pause-budget'?: number | undefined;
  readonly 'verify-max-age'?: number | undefined;
}

/** What the flags ask for; without any of them, a balance. */
export function askOf({ drain, shards, to }: RebalanceFlags): RebalanceAsk {
  if (drain !== undefined) return { kind: 'drain', cluster: drain };
  if (shards === undefined && to === undefined) return { kind: 'balance' };
  if (shards !== undefined && to !== undefined) return { kind: 'named', shards, to };
  throw usageError('--shards and --to go together', { code: 'flags_conflict' });
}

export const limitsOf = (flags: RebalanceFlags): Partial<PlanLimits> => ({
  anyRegion: flags['any-region'],
  ...(flags['max-shards'] === undefined ? {} : { shardsMax: flags['max-shards'] }),
  ...(flags.tolerance === undefined ? {} : { tolerance: flags.tolerance / 100 }),
  ...(flags['concurrent-copies'] === undefined ? {} : { concurrentCopiesMax: flags['concurrent-copies'] }),
  ...(flags['pause-budget'] === undefined ? {} : { pauseBudgetMs: flags['pause-budget'] }),
  ...(flags['verify-max-age'] === undefined ? {} : { verifyMaxAgeMs: flags['verify-max-age'] }),
});
