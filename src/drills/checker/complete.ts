import { parseCommitToken } from '../../domain/commit-token.ts';
import { shardOf } from '../../domain/shard.ts';
import { entryOfAnswers } from './answer-entry.ts';
import {
  changesState,
  type Facts,
  type Issuer,
  type Operation,
  type Shard,
  type Token,
  wasReadBack,
} from './facts.ts';
import { raiseFloors } from './floors.ts';
import { emptyShard, type Registry } from './registry.ts';
import { isDecided, isLostReport, mayHaveRun, startOf } from './tokens.ts';

type Collected = Omit<Facts, 'tokens' | 'issuers' | 'shards'> & { readonly registry: Registry };

/** Puts together what only the whole history tells: where each issuer lives, what each token became, the order of positions. */
export function completeFacts({ registry, ...collected }: Collected): Facts {
  const { tokens } = registry;
  const issuers = [...registry.issuers.values()];
  const shards = placeIssuers(registry, issuers, collected.header?.shardCount ?? null);
  for (const shard of shards) completeLog(shard);
  for (const token of tokens) reportOf(token);
  for (const token of tokens) completeToken(token);
  for (const shard of shards) {
    byPosition(shard.entries);
    for (const entry of shard.entries) if (entry.issuer.shard === shard) entry.issuer.entries.push(entry);
  }
  for (const { commit_token } of collected.lost) noteLoss(registry, commit_token);
  for (const issuer of issuers) {
    for (const entry of issuer.entries) if (changesState(entry)) issuer.changes.push(entry.position);
  }
  raiseFloors(collected.answered);
  return { ...collected, tokens, issuers, shards };
}

function placeIssuers(registry: Registry, issuers: readonly Issuer[], shardCount: number | null): Shard[] {
  const own: Shard[] = [];
  for (const shard of registry.shards.values()) {
    for (const { issuer } of shard.log) issuer.shard ??= shard;
  }
  for (const issuer of issuers) {
    const told = shardCount === null ? shardTold(issuer) : shardOf(issuer.name, shardCount);
    if (told !== null) issuer.shard = registry.shard(told);
    if (issuer.shard === null) {
      issuer.shard = emptyShard(null);
      own.push(issuer.shard);
    }
  }
  return [...registry.shards.values(), ...own];
}

function shardTold({ shard, tokens, reads }: Issuer): number | null {
  if (shard !== null) return shard.id;
  for (const { attempts } of tokens.values()) {
    for (const { decision } of attempts) if (decision?.commit) return decision.commit.shard;
  }
  return reads.find(({ asOf }) => asOf !== null && asOf.shard !== null)?.asOf?.shard ?? null;
}

/** Kept are only losses that tell something: of a run under one new term the first. */
function noteLoss(registry: Registry, commitToken: string): void {
  const { shard: id, position: lost } = parseCommitToken(commitToken);
  const position = Number(lost);
  const { lineage, entries, losses } = registry.shard(id);
  let againUnder = Infinity;
  for (const { first_position, term } of lineage) if (Number(first_position) <= position) againUnder = term;
  if (lineage.length === 0) {
    againUnder = entries.find((entry) => entry.position >= position)?.term ?? Infinity;
  }
  const known = losses.findIndex((loss) => loss.againUnder === againUnder);
  if (known < 0) losses.push({ position, againUnder });
  else if ((losses[known]?.position ?? 0) > position) losses[known] = { position, againUnder };
}

function completeLog(shard: Shard): void {
  byPosition(shard.log);
  shard.lineage.sort(
    (a, b) =>
      Number(a.first_position) - Number(b.first_position) || a.generation - b.generation || a.term - b.term,
  );
  const first = shard.log[0]?.position;
  const last = shard.log.at(-1)?.position ?? -1;
  shard.headPosition = shard.head === null ? last : Number(shard.head.position);
  shard.basePosition = shard.base !== null ? Number(shard.base.position) : first === 1 ? 0 : -1;
  if (!wasReadBack(shard)) return;
  shard.entries = shard.log;
  for (const entry of shard.log) entry.token.entry ??= entry;
}

function reportOf(token: Token): void {
  let first: Operation | null = null;
  for (const attempt of token.attempts) {
    if (!isDecided(attempt) || isLostReport(token, attempt)) continue;
    if (first === null || attempt.answerI < first.answerI) first = attempt;
  }
  token.report = first;
  for (const attempt of token.attempts) {
    if (!isDecided(attempt) || isLostReport(token, attempt)) continue;
    token.position ??= attempt.decision?.position ?? null;
    token.commit ??= attempt.decision?.commit ?? null;
  }
  token.position ??= token.entry?.position ?? null;
}

function completeToken(token: Token): void {
  const { issuer } = token;
  const { shard } = issuer;
  if (shard === null) return;
  token.start = startOf(token, shard);
  if (wasReadBack(shard)) return;
  if (token.report !== null && token.position !== null) {
    const entry = entryOfAnswers(token, token.report);
    if (entry === null) issuer.opaque = true;
    else {
      token.entry = entry;
      shard.entries.push(entry);
    }
  } else if (token.report === null ? mayHaveRun(token) : token.report.decision?.outcome === 'confirmed') {
    issuer.loose.push(token);
  }
}

/** Lines come in order nearly always; then nothing is sorted. */
function byPosition(entries: { readonly position: number }[]): void {
  for (let index = 1; index < entries.length; index += 1) {
    if ((entries[index]?.position ?? 0) < (entries[index - 1]?.position ?? 0)) {
      entries.sort((a, b) => a.position - b.position);
      return;
    }
  }
}
