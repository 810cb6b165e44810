import { type Amount, amountText } from './amount.ts';
import { linesOf, linesOfEntry, readBackLines, reported, shardName } from './evidence.ts';
import { type Facts, type Issuer, type Operation, type Shard, type Token, wasReadBack } from './facts.ts';
import { floorBefore, floorBeforeTime, isOfLostLog } from './floors.ts';
import { type Fold, walk } from './fold.ts';
import { proofOf } from './proof.ts';
import { Findings } from './verdict.ts';

/** A read shows exactly the state at the position that it states, and that position is not older than it may be. */
export function judgeReads(facts: Facts): Findings {
  const findings = new Findings('reads');
  for (const issuer of facts.issuers) {
    const { shard } = issuer;
    if (shard === null || issuer.reads.length === 0) continue;
    for (const read of issuer.reads) {
      judgeAge(findings, read, shard);
      judgeBound(findings, read);
      judgeLost(findings, read, shard);
    }
    if (!issuer.opaque) {
      walk(issuer, { read: (read, fold, index) => judgeShown(findings, { issuer, read, fold, index }) });
    }
  }
  for (const token of facts.tokens) {
    judgeFuture(findings, token);
    judgeNotFound(findings, token);
  }
  if (findings.judged === 0) findings.why = 'no read states the position that it shows';
  return findings;
}

/** The issuer's last change that a state as of `position` includes; -1: none that is known. */
function changeAt({ changes }: Issuer, position: number): number {
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((changes[middle] ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return changes[low - 1] ?? -1;
}

function judgeAge(findings: Findings, read: Operation, shard: Shard): void {
  const { issuer, asOf, atLeast, shown } = read;
  if (read.kind !== 'ok' || shown === null) return;
  const isAbsent = read.code === 'issuer_not_found';
  if (!isAbsent && (asOf === null || isOfLostLog(read, shard))) return;
  findings.judged += 1;
  // What states its own staleness promises no more than that.
  const stated = asOf?.staleness_ms ?? 0;
  const staleMs = stated === 'unknown' ? Infinity : stated;
  const floorOf = (floors: Shard['readFloors']) =>
    staleMs > 0 ? floorBeforeTime(floors, read.invokeT - staleMs) : floorBefore(floors, read.invokeI);
  const decided = floorOf(shard.decisionFloors);
  const seen = floorOf(shard.readFloors);
  const floor = (seen?.position ?? -1) > (decided?.position ?? -1) ? seen : decided;
  const bound = atLeast !== null && atLeast.shard === (shard.id ?? atLeast.shard) ? atLeast.position : -1;
  const wanted = changeAt(issuer, Math.max(floor?.position ?? -1, bound));
  const has = isAbsent ? -1 : changeAt(issuer, read.asOfPosition);
  const prove = () => {
    const missing = issuer.entries.find(({ position }) => position === wanted);
    return [
      ...linesOf(floor?.by ?? null, read),
      ...(missing === undefined ? [] : linesOfEntry(missing, shard)),
    ];
  };
  if (wanted > has) {
    const why =
      bound > (floor?.position ?? -1)
        ? `it was bound to @${bound}`
        : `@${floor?.position} had been answered before it was asked`;
    const shows = isAbsent ? 'no such issuer' : `@${read.asOfPosition}`;
    findings.add(`${read.via} showed ${issuer.name} as of ${shows}, without @${wanted}: ${why}`, prove);
  } else if (read.action === 'read-open' && bound > read.asOfPosition) {
    findings.add(
      `${read.via} showed ${issuer.name} as of @${read.asOfPosition}; it was bound to @${bound}`,
      () => linesOf(read),
    );
  } else if (shard.head !== null && read.answerI < shard.head.i && read.asOfPosition > shard.headPosition) {
    findings.add(
      `${read.via} showed ${issuer.name} as of @${read.asOfPosition}; ${shardName(shard)} ends at ${shard.headPosition}`,
      () => [...linesOf(read), ...readBackLines(shard)],
    );
  }
}

/** A bound is met or refused: what is shown is no older than was asked for, and says so. */
function judgeBound(findings: Findings, read: Operation): void {
  const { maxStalenessMs, asOf, issuer } = read;
  if (read.kind !== 'ok' || maxStalenessMs === null || asOf === null) return;
  findings.judged += 1;
  const stated = asOf.staleness_ms;
  if (typeof stated === 'number' && stated <= maxStalenessMs) return;
  const age = typeof stated === 'number' ? `${stated} ms old` : 'of an age that it did not know';
  findings.add(`${read.via} showed ${issuer.name} ${age}; at most ${maxStalenessMs} ms were asked for`, () =>
    linesOf(read),
  );
}

/** A token is called lost only where a failover lost something. */
function judgeLost(findings: Findings, read: Operation, shard: Shard): void {
  const { atLeast, code, issuer } = read;
  if (code !== 'commit_token_lost' || atLeast === null || !wasReadBack(shard)) return;
  findings.judged += 1;
  if (shard.losses.length > 0 || atLeast.position > shard.headPosition) return;
  findings.add(`${read.via} called @${atLeast.position} of ${issuer.name} lost; nothing was lost`, () => [
    ...linesOf(read),
    ...readBackLines(shard),
  ]);
}

interface ShownState {
  readonly issuer: Issuer;
  readonly read: Operation;
  readonly fold: Fold;
  readonly index: number;
}

function judgeShown(findings: Findings, { issuer, read, fold, index }: ShownState): void {
  const { shown, asOfPosition } = read;
  const { shard } = issuer;
  if (shown === null || shard === null || isOfLostLog(read, shard)) return;
  if (wasReadBack(shard) && asOfPosition > shard.headPosition) return;
  // The state before the known log may have been another one.
  if (asOfPosition < shard.basePosition) return;
  const differs = differenceOf(read, fold);
  if (differs === null) return;
  findings.add(`${read.via} showed ${issuer.name} as of @${asOfPosition} with ${differs}`, () => [
    ...linesOf(read),
    ...readBackLines(shard),
    ...proofOf(issuer, index),
    ...(index < 0 || !differs.includes('reservation') ? [] : proofOf(issuer, index, '')),
    ...(index + 1 < issuer.entries.length && index < 0 ? proofOf(issuer, 0) : []),
  ]);
}

function differenceOf({ shown }: Operation, fold: Fold): string | null {
  const { limit, reserved, openCount, open } = shown ?? {};
  if (limit !== null && limit !== undefined && outside(limit, fold.limitLow, fold.limitHigh)) {
    return `the limit ${amountText(limit)}; it was ${textOf(fold.limit)}`;
  }
  if (reserved !== null && reserved !== undefined) {
    if (reserved < fold.reservedLow || (fold.reservedHigh !== null && reserved > fold.reservedHigh)) {
      return `${amountText(reserved)} reserved; it was ${textOf(fold.reserved)}`;
    }
  }
  if (!fold.openKnown) return null;
  if (openCount !== null && openCount !== undefined && openCount !== fold.open.size) {
    return `${openCount} open reservations; there were ${fold.open.size}`;
  }
  if (!fold.namesKnown) return null;
  for (const [reservation, notional] of open ?? []) {
    if (!fold.open.has(reservation)) return `the reservation ${reservation}, which was not open`;
    const held = fold.open.get(reservation);
    if (held !== null && held !== notional) return `another amount for the reservation ${reservation}`;
  }
  return open && open.size !== fold.open.size ? `${open.size} of ${fold.open.size} open reservations` : null;
}

const outside = (value: Amount, low: Amount | null, high: Amount | null): boolean =>
  low !== null && high !== null && (value < low || value > high);
const textOf = (amount: Amount | null): string => (amount === null ? 'another' : amountText(amount));

/** No state includes what had not been asked for yet. */
function judgeFuture(findings: Findings, token: Token): void {
  const { start, position, issuer, report, entry } = token;
  if (start === null || position === null || issuer.shard === null) return;
  const floor = floorBefore(issuer.shard.readFloors, start.invokeI);
  if (floor === null || floor.position < position) return;
  const what = `${floor.by.via} showed a state as of @${floor.position}; ${issuer.name}/${token.name} at @${position} was asked for later`;
  findings.add(what, () => [
    ...linesOf(floor.by, start, report),
    ...(report === null && entry !== null ? linesOfEntry(entry, issuer.shard) : []),
  ]);
}

/** A token that the authority doesn't know is not at or below a position that anybody was told before. */
function judgeNotFound(findings: Findings, token: Token): void {
  const { shard } = token.issuer;
  if (shard === null) return;
  for (const attempt of token.attempts) {
    if (attempt.kind !== 'ok' || attempt.decision?.outcome !== 'not_found' || token.lost !== null) continue;
    findings.judged += 1;
    const { report, position, entry } = token;
    const prove = (by: Operation | null) => () => [
      ...linesOf(report, by, attempt),
      ...(report === null && entry !== null ? linesOfEntry(entry, shard) : []),
    ];
    if (report !== null && report.answerI < attempt.invokeI) {
      findings.add(
        `${attempt.via} did not find ${token.issuer.name}/${token.name} after ${reported(report)}`,
        prove(null),
      );
      continue;
    }
    if (position === null) continue;
    const floors = [shard.decisionFloors, shard.readFloors].map((each) => floorBefore(each, attempt.invokeI));
    const floor = floors.find((each) => each !== null && each.position >= position);
    const isOwn = attempt.asOfPosition >= position && !isOfLostLog(attempt, shard);
    if (floor === undefined && !isOwn) continue;
    findings.add(
      `${attempt.via} did not find ${token.issuer.name}/${token.name}, which has @${position}, after @${floor?.position ?? attempt.asOfPosition} had been decided`,
      prove(floor?.by ?? null),
    );
  }
}
