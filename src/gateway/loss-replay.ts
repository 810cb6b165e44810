import type { LostDecision } from '../domain/loss-records.ts';
import type { Command } from '../reservations/types.ts';
import { commitTokenOfLost } from './lost-outcome.ts';
import { sendCommand } from './send-command.ts';
import type { TokenResolutionOptions } from './token-types.ts';

/** What became of one lost decision that was sent again under its own token. */
export interface Replayed {
  readonly token: string;
  readonly issuer: string;
  readonly was: { readonly outcome: string; readonly commitToken: string };
  /** `refused`: provably without effect; `unknown`: run it again. */
  readonly now: 'confirmed' | 'rejected' | 'abandoned' | 'refused' | 'unknown';
  readonly commitToken: string | null;
  /** The token had this outcome before it was sent here; false too when an earlier sending of this call may have made it. */
  readonly replayed: boolean;
  readonly reason: string | null;
}

/**
 * Sends a lost decision again, as its desk's, under its own token, through its shard's present authority. It may be repeated: a
 * token that was decided meanwhile answers with its outcome. Never throws for what it can't learn.
 */
export async function replayLost(
  asking: Pick<TokenResolutionOptions, 'routes' | 'take'>,
  entry: LostDecision,
  deadlineMs: number,
): Promise<Replayed> {
  const command = commandOf(entry);
  if (command === undefined)
    return outcome(entry, { now: 'refused', reason: 'the report lacks its content' });
  return outcome(entry, await sendCommand(asking, command, deadlineMs));
}

const outcome = (entry: LostDecision, parts: Partial<Replayed> & Pick<Replayed, 'now'>): Replayed => ({
  token: entry.token,
  issuer: entry.issuer,
  was: { outcome: entry.outcome, commitToken: commitTokenOfLost(entry) },
  commitToken: null,
  replayed: false,
  reason: null,
  ...parts,
});

/** The command as it was sent: its hash is the stored one, so that the client's own retry finds the same token. */
export function commandOf(entry: LostDecision): Command | undefined {
  const { issuer, token, desk, hash, reservation, amount, reason } = entry;
  const bound = { issuer, token, desk };
  if (entry.command === 'settle') return { kind: 'settle', ...bound };
  if (hash === null) return undefined;
  switch (entry.command) {
    case 'reserve':
      return reservation === null || amount === null
        ? undefined
        : { kind: 'reserve', ...bound, hash, reservation, notional: amount };
    case 'release':
      return reservation === null ? undefined : { kind: 'release', ...bound, hash, reservation };
    case 'set-limit':
      return amount === null ? undefined : { kind: 'set-limit', ...bound, hash, limit: amount };
    case 'correct':
      return amount === null || reason === null
        ? undefined
        : { kind: 'correct', ...bound, hash, limit: amount, reason };
    default:
      return undefined;
  }
}
