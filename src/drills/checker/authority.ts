import type { LineageLine } from '../history/types.ts';
import { commitText, linesOf, linesOfEntry, reported, shardName } from './evidence.ts';
import type { Entry, Facts, Operation, Shard } from './facts.ts';
import { originLines } from './proof.ts';
import { judgeRights } from './rights.ts';
import { isDecided, isLostReport } from './tokens.ts';
import { Findings } from './verdict.ts';

/** Along positions (generation, term) never falls and is what the lineage says; no right outlives its authority. */
export function judgeAuthority(facts: Facts): Findings {
  const findings = new Findings('authority');
  const { shards, tokens, header } = facts;
  for (const shard of shards) {
    judgeLineage(findings, shard);
    judgeEntries(findings, shard);
  }
  for (const token of tokens) {
    for (const attempt of token.attempts) {
      const commit = attempt.decision?.commit;
      if (!commit || !isDecided(attempt)) continue;
      const { shard } = token.issuer;
      if (shard === null || shard.id === null || shard.id === commit.shard) continue;
      findings.add(`${reported(attempt)}; ${token.issuer.name} is of ${shardName(shard)}`, () => [
        ...(header === null ? [] : [header]),
        ...linesOf(attempt, otherOf(attempt, shard)),
      ]);
    }
  }
  judgeRights(findings, facts);
  if (findings.judged === 0) findings.why = 'no commit token, and nobody was seen with a right to decide';
  else if (findings.why === null && (header?.leaseTtlMs ?? null) === null && facts.authorities.length > 0) {
    findings.why = 'how long a right outlives its authority is not judged: the header names no leaseTtlMs';
  }
  return findings;
}

/** Another answer of the issuer, which names the shard that it is of. */
function otherOf({ issuer }: Operation, { id }: Shard): Operation | null {
  for (const { attempts } of issuer.tokens.values()) {
    const found = attempts.find(({ decision }) => decision?.commit?.shard === id);
    if (found !== undefined) return found;
  }
  return null;
}

/** 0 when both are of the same authority, positive when the first is the later one. */
const compare = (
  a: { readonly generation: number | null; readonly term: number | null },
  b: { readonly generation: number | null; readonly term: number | null },
): number => (a.generation ?? 0) - (b.generation ?? 0) || (a.term ?? 0) - (b.term ?? 0);

const authorityText = ({ generation, term }: { generation: number | null; term: number | null }): string =>
  `${generation}.${term}`;

function judgeLineage(findings: Findings, shard: Shard): void {
  let before: LineageLine | undefined;
  for (const line of shard.lineage) {
    const last = before;
    before = line;
    if (last === undefined || compare(line, last) > 0) continue;
    findings.add(
      `${shardName(shard)}: in its lineage ${authorityText(line)} follows ${authorityText(last)} at ${line.first_position}`,
      () => [last, line],
    );
  }
}

function judgeEntries(findings: Findings, shard: Shard): void {
  const { lineage } = shard;
  let highest: Entry | undefined;
  let at = -1;
  for (const entry of shard.entries) {
    if (entry.generation === null || entry.term === null) continue;
    findings.judged += 1;
    const before = highest;
    if (before !== undefined && compare(entry, before) < 0) {
      findings.add(
        `${shardName(shard)} @${entry.position} is decided under ${authorityText(entry)}, after @${before.position} under ${authorityText(before)}`,
        () => [...linesOfEntry(before, shard), ...linesOfEntry(entry, shard)],
      );
    } else {
      highest = entry;
    }
    while (Number(lineage[at + 1]?.first_position ?? Infinity) <= entry.position) at += 1;
    const known = lineage[at];
    if (lineage.length === 0 || (known !== undefined && compare(known, entry) === 0)) continue;
    const said = known === undefined ? 'nobody' : authorityText(known);
    findings.add(
      `${shardName(shard)} @${entry.position} is decided under ${authorityText(entry)}; by its lineage that was ${said}`,
      () => [
        ...(known === undefined ? [...originLines(shard), ...lineage.slice(0, 1)] : [known]),
        ...linesOfEntry(entry, shard),
      ],
    );
  }
  if (lineage.length > 0) judgeAnswered(findings, shard);
}

/** Answers that the log doesn't hold are held against the lineage as well. */
function judgeAnswered(findings: Findings, shard: Shard): void {
  for (const { by } of shard.decisionFloors) {
    const commit = by.decision?.commit;
    if (!commit || by.token === null || isLostReport(by.token, by)) continue;
    if (shard.lineage.some((line) => compare(line, commit) === 0)) continue;
    findings.add(`${by.via} answered ${commitText(commit)}, an authority that no lineage knows`, () => [
      ...linesOf(by),
      ...shard.lineage.slice(0, 1),
    ]);
  }
}
