import { formatCommitToken } from '../domain/commit-token.ts';
import type { LostDecision } from '../domain/loss-records.ts';
import type { LostOutcome } from './token-types.ts';

/** The commit token that a lost decision had. */
export const commitTokenOfLost = ({ shard, position, generation, term }: LostDecision): string =>
  formatCommitToken({ shard, position: BigInt(position), generation, term });

/** How an answer names a decision that a failover lost. */
export const lostOutcome = ({
  operation,
  entry,
}: {
  readonly operation: string;
  readonly entry: LostDecision;
}): LostOutcome => ({
  operation,
  commit_token: commitTokenOfLost(entry),
  outcome: entry.outcome,
  maybe_acknowledged: entry.maybeAcknowledged,
});
