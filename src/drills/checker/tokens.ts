import { commitText } from './evidence.ts';
import { isAsking, type Operation, type Shard, type Token } from './facts.ts';

/** Reported an outcome that a decision has. */
export function isDecided({ kind, decision }: Operation): boolean {
  if (kind !== 'ok' || decision === null) return false;
  const { outcome } = decision;
  return outcome === 'confirmed' || outcome === 'rejected' || outcome === 'abandoned';
}

/** Reported a decision that a loss report names: it and nothing else may be gone. */
export function isLostReport({ lost }: Token, { decision }: Operation): boolean {
  if (lost === null || decision === null) return false;
  if (decision.commit !== null) return lost.has(commitText(decision.commit));
  const { position } = decision;
  return position === null || [...lost].some((text) => text.includes(`@${position}~`));
}

/** Some request of the token's own content may have been carried out. */
export const mayHaveRun = ({ attempts }: Token): boolean =>
  attempts.some(({ kind, action }) => kind !== 'fail' && !isAsking(action));

/**
 * The request before which the token can't have been decided: the one that was told to be the first, else the first that
 * may have had an effect. Null when it may have been decided before this history began.
 */
export function startOf(token: Token, { basePosition }: Shard): Operation | null {
  const { attempts, report, position } = token;
  if (report !== null && position !== null && position <= basePosition) return null;
  const wasAbandoned =
    report === null ? token.entry?.event === 'abandoned' : report.decision?.outcome === 'abandoned';
  let start: Operation | null = null;
  let replaysOnly = report !== null;
  for (const attempt of attempts) {
    const { decision, kind, action } = attempt;
    const isNew = decision?.replayed === false && !isLostReport(token, attempt);
    if (isNew && isDecided(attempt)) return attempt;
    if (kind === 'fail' || action === 'resolve' || (action === 'settle') !== wasAbandoned) continue;
    if (decision?.replayed !== true) replaysOnly = false;
    start ??= attempt;
  }
  // Nothing but replays, and nobody knows where the log stood: it may be an old token.
  return replaysOnly && basePosition < 0 ? null : start;
}
