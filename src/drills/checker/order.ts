import { linesOf, linesOfEntry, readBackLines, reported, shardName } from './evidence.ts';
import { type Entry, type Facts, type Shard, type Token, wasReadBack } from './facts.ts';
import { floorBefore } from './floors.ts';
import { originLines } from './proof.ts';
import { Findings } from './verdict.ts';

/** Positions are dense and used once, and follow real time: what was answered before another was asked for is lower. */
export function judgeOrder({ shards, tokens }: Facts): Findings {
  const findings = new Findings('order');
  let notRead = 0;
  for (const shard of shards) {
    judgeUsedOnce(findings, shard);
    if (wasReadBack(shard)) judgeDensity(findings, shard);
    else if (shard.entries.length > 0) notRead += 1;
  }
  for (const token of tokens) judgeRealTime(findings, token);
  if (findings.judged === 0) findings.why = 'no answer states a position, and no log was read back';
  else if (notRead > 0) findings.why = `density is not judged in ${notRead} logs: they were not read back`;
  return findings;
}

/** Those without a commit token are ordered within their issuer; a position answered but not logged counts as well. */
function judgeUsedOnce(findings: Findings, shard: Shard): void {
  let before: Entry | undefined;
  for (const entry of shard.entries) {
    findings.judged += 1;
    const other = before;
    before = entry;
    if (other === undefined || other.position !== entry.position || other.token === entry.token) continue;
    const names = `${other.issuer.name}/${other.token.name} and ${entry.issuer.name}/${entry.token.name}`;
    findings.add(`${shardName(shard)} @${entry.position} is the position of both ${names}`, () => [
      ...linesOfEntry(other, shard),
      ...linesOfEntry(entry, shard),
    ]);
  }
}

function judgeDensity(findings: Findings, shard: Shard): void {
  const { log, headPosition, basePosition } = shard;
  let expected = basePosition >= 0 ? basePosition + 1 : (log[0]?.position ?? headPosition + 1);
  let before: Entry | undefined;
  for (const entry of log) {
    const last = before;
    if (entry.position > expected) {
      findings.add(`${shardName(shard)} lacks ${span(expected, entry.position - 1)}`, () => [
        ...(last === undefined ? originLines(shard) : linesOfEntry(last, shard)),
        ...linesOfEntry(entry, shard),
      ]);
    }
    if (entry.position > headPosition) {
      findings.add(`${shardName(shard)} has @${entry.position}, beyond its head at ${headPosition}`, () => [
        ...readBackLines(shard),
        ...linesOfEntry(entry, shard),
      ]);
    }
    expected = Math.max(expected, entry.position + 1);
    before = entry;
  }
  if (expected > headPosition) return;
  findings.add(
    `${shardName(shard)} lacks ${span(expected, headPosition)}; its head is at ${headPosition}`,
    () => [
      ...(before === undefined ? originLines(shard) : linesOfEntry(before, shard)),
      ...readBackLines(shard),
    ],
  );
}

const span = (from: number, to: number): string => (from === to ? `@${from}` : `@${from} to @${to}`);

function judgeRealTime(findings: Findings, token: Token): void {
  const { start, position, issuer, report, entry } = token;
  if (start === null || position === null || issuer.shard === null) return;
  const floor = floorBefore(issuer.shard.decisionFloors, start.invokeI);
  if (floor === null || floor.position < position) return;
  const name = `${issuer.name}/${token.name}`;
  findings.add(`${name} has @${position}; it was asked for after ${reported(floor.by)}`, () => [
    ...linesOf(floor.by, start, report),
    ...(report === null && entry !== null ? linesOfEntry(entry, issuer.shard) : []),
  ]);
}
