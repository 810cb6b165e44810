import { type Amount, amountText, minus, plus } from './amount.ts';
import { linesOf, reported } from './evidence.ts';
import type { Issuer, Operation } from './facts.ts';
import { isDecided } from './tokens.ts';
import type { Findings } from './verdict.ts';

/** Positions are the rule; an issuer of more requests whose answers lack them is left alone, to stay linear. */
const REQUESTS_MAX = 2_000;

/**
 * Rejections that state no position: was there, between request and answer, a moment at which the reserve may have lacked
 * room? Takes the most that can have been reserved and the lowest limit that can have been in force.
 */
export function judgeByTime(findings: Findings, issuer: Issuer): void {
  const rejected: Operation[] = [];
  let requests = 0;
  for (const { report, position, attempts } of issuer.tokens.values()) {
    requests += attempts.length;
    if (requests > REQUESTS_MAX) return;
    const isReserve = report?.action === 'reserve' && report.decision?.outcome === 'rejected';
    if (isReserve && position === null && report.notional !== null) rejected.push(report);
  }
  if (rejected.length === 0) return;
  const requested = [...issuer.tokens.values()].flatMap(({ attempts }) => attempts);
  for (const rejection of rejected) judge(findings, rejection, requested);
}

function judge(findings: Findings, rejection: Operation, requested: readonly Operation[]): void {
  const limits = requested.filter(
    ({ action, kind, invokeI }) =>
      (action === 'set-limit' || action === 'correct') && kind !== 'fail' && invokeI < rejection.answerI,
  );
  const origin = latest(limits, rejection);
  const from = origin?.decision?.reservedAfter ?? null;
  const { notional } = rejection;
  if (origin === null || from === null || notional === null) return;
  const most = mostReserved({ requested, origin, from, rejection });
  const least = leastLimit(limits, origin);
  if (most === null || least === null) return;
  findings.judged += 1;
  if (plus(most, notional) > least) return;
  findings.add(
    `${reported(rejection)}: at most ${amountText(most)} of at least ${amountText(least)} can have been reserved meanwhile`,
    () => linesOf(origin, rejection),
  );
}

/** The limit that was answered last before the request. */
function latest(limits: readonly Operation[], { invokeI }: Operation): Operation | null {
  let found: Operation | null = null;
  for (const limit of limits) {
    if (!isDecided(limit) || limit.decision?.outcome !== 'confirmed' || limit.answerI > invokeI) continue;
    if (found === null || limit.invokeI > found.invokeI) found = limit;
  }
  return found;
}

function leastLimit(limits: readonly Operation[], origin: Operation): Amount | null {
  let least: Amount | null = origin.limit;
  for (const { answerI, limit } of limits) {
    // What was answered before the origin was asked for has been replaced by it.
    if (answerI < origin.invokeI) continue;
    if (limit === null) return null;
    if (least !== null && limit < least) least = limit;
  }
  return least;
}

function mostReserved(options: {
  readonly requested: readonly Operation[];
  readonly origin: Operation;
  readonly from: Amount;
  readonly rejection: Operation;
}): Amount | null {
  const { requested, origin, from, rejection } = options;
  let most = from;
  const counted = new Set<unknown>();
  for (const { action, kind, token, invokeI, answerI, decision, notional } of requested) {
    if (action === 'release' && kind === 'ok' && decision?.outcome === 'confirmed') {
      const isBetween = invokeI > origin.answerI && answerI < rejection.invokeI;
      if (isBetween && notional !== null && decision.replayed !== true) most = minus(most, notional);
    }
    if (action !== 'reserve' || kind === 'fail' || counted.has(token)) continue;
    if (answerI < origin.invokeI || invokeI > rejection.answerI) continue;
    if (token?.report !== null && token?.report?.decision?.outcome !== 'confirmed') continue;
    if (notional === null) return null;
    counted.add(token);
    most = plus(most, notional);
  }
  return most;
}
