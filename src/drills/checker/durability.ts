import { formatCommitToken } from '../../domain/commit-token.ts';
import { linesOf, linesOfEntry, readBackLines, reported, shardName } from './evidence.ts';
import { type Entry, type Facts, type Operation, type Shard, type Token, wasReadBack } from './facts.ts';
import { isDecided, isLostReport } from './tokens.ts';
import { Findings } from './verdict.ts';

/** Every decision that was reported is found at the end as it was reported, or is named lost. */
export function judgeDurability({ tokens, shards }: Facts): Findings {
  const findings = new Findings('durability');
  let notRead = 0;
  for (const token of tokens) {
    const { shard } = token.issuer;
    if (shard === null || token.report === null) continue;
    if (wasReadBack(shard)) judgeToken(findings, token, shard);
    else notRead += 1;
  }
  if (!shards.some(wasReadBack)) findings.why = 'no log was read back';
  else if (notRead > 0) findings.why = `${notRead} decisions are of shards that were not read back`;
  return findings;
}

function judgeToken(findings: Findings, token: Token, shard: Shard): void {
  const { report, entry } = token;
  // What stood before the history is not in the log that was read.
  if (report === null || isOlder(token, report, shard)) return;
  findings.judged += 1;
  if (entry === null) {
    const what = `${reported(report)}; ${shardName(shard)} was read up to ${shard.headPosition} and does not hold it`;
    findings.add(what, () => [...linesOf(report), ...readBackLines(shard)]);
    return;
  }
  for (const attempt of token.attempts) {
    if (!isDecided(attempt) || isLostReport(token, attempt) || agrees(attempt, entry)) continue;
    findings.add(`${reported(attempt)}; the log holds it as ${held(entry, shard)}`, () => [
      ...linesOf(attempt),
      ...linesOfEntry(entry, shard),
    ]);
    // The others are held against the first report by the rule of one outcome.
    return;
  }
}

function isOlder({ position, entry }: Token, { decision }: Operation, { basePosition, log }: Shard): boolean {
  if (position === null) return false;
  if (basePosition >= 0) return position <= basePosition;
  return entry === null && decision?.replayed === true && position < (log[0]?.position ?? 0);
}

export const outcomeOf = ({ event }: Entry): 'confirmed' | 'rejected' | 'abandoned' =>
  event === 'abandoned'
    ? 'abandoned'
    : event === 'reserve_rejected' || event === 'release_rejected'
      ? 'rejected'
      : 'confirmed';

export function agrees({ decision }: Operation, entry: Entry): boolean {
  if (decision === null || decision.outcome !== outcomeOf(entry)) return false;
  const { position, commit, reservation } = decision;
  if (position !== null && position !== entry.position) return false;
  if (reservation !== null && entry.reservation !== null && reservation !== entry.reservation) return false;
  return commit === null || (commit.generation === entry.generation && commit.term === entry.term);
}

export function held(entry: Entry, { id }: Shard): string {
  const { position, generation, term } = entry;
  const commit = { shard: id ?? 0, position: BigInt(position), generation: generation ?? 0, term: term ?? 0 };
  return `${outcomeOf(entry)} ${formatCommitToken(commit)}`;
}
