import type { AuthorityLine, HistoryLine } from '../history/types.ts';
import { linesOf, reported } from './evidence.ts';
import { judgeIsolation } from './isolation.ts';
import type { Commit, Facts, Shard } from './facts.ts';
import { isDecided } from './tokens.ts';
import type { Findings } from './verdict.ts';

/** A term of a cluster was in force by this time: somebody was answered under it, or was seen with its right. */
interface Sign {
  readonly t: number;
  readonly what: string;
  readonly prove: () => HistoryLine[];
}

/** One authority at a time: whoever holds a right under a term outlives the sign of a later term by a lease at most. */
export function judgeRights(findings: Findings, facts: Facts): void {
  const { header, authorities, answered, shards } = facts;
  const ttlMs = header?.leaseTtlMs ?? null;
  const clusters = clusterIndex(shards);
  judgeIsolation(findings, facts, clusters);
  if (authorities.length === 0) return;
  const signs = new Map<string, Map<number, Sign>>();
  const note = (cluster: string, term: number, sign: Sign): void => {
    const terms = signs.get(cluster) ?? new Map<number, Sign>();
    signs.set(cluster, terms);
    const known = terms.get(term);
    if (known === undefined || sign.t < known.t) terms.set(term, sign);
  };
  for (const operation of answered) {
    const commit = operation.decision?.commit;
    if (!commit || !isDecided(operation)) continue;
    const found = clusters(commit);
    if (found === null) continue;
    const known = signs.get(found.cluster)?.get(commit.term);
    // Answers come in order: the first of a term is the earliest.
    if (known !== undefined && known.t <= operation.answerT) continue;
    note(found.cluster, commit.term, {
      t: operation.answerT,
      what: reported(operation),
      prove: () => [...linesOf(operation), found.line],
    });
  }
  for (const line of authorities) {
    note(line.cluster, line.term, { t: line.t, what: `${line.member} held the right`, prove: () => [line] });
  }
  const holders = new Map<string, AuthorityLine>();
  for (const line of authorities) {
    findings.judged += 1;
    const { cluster, member, term } = line;
    const key = `${cluster} ${term}`;
    const first = holders.get(key);
    if (first === undefined) holders.set(key, line);
    else if (first.member !== member) {
      findings.add(
        `${first.member} and ${member} both held the right of ${cluster} under term ${term}`,
        () => [first, line],
      );
    }
    if (ttlMs === null || header === null) continue;
    for (const [later, sign] of signs.get(cluster) ?? []) {
      if (later <= term || sign.t >= line.asked_t - ttlMs) continue;
      const overMs = Math.round(line.asked_t - sign.t);
      findings.add(
        `${member} held the right of ${cluster} under term ${term}, ${overMs} ms after ${sign.what} under term ${later}`,
        () => [header, ...sign.prove(), line],
      );
      break;
    }
  }
}

/** Which cluster decided under a commit token, with the line that says so. */
function clusterIndex(
  shards: readonly Shard[],
): (commit: Commit) => { readonly cluster: string; readonly line: HistoryLine } | null {
  const known = new Map(shards.map((shard) => [shard.id, shard]));
  return ({ shard: id, generation, term }) => {
    const shard = known.get(id);
    if (shard === undefined) return null;
    const line =
      shard.lineage.find((each) => each.generation === generation && each.term === term) ??
      (shard.lineage.length === 0 ? shard.head : null);
    return line === null ? null : { cluster: line.cluster, line };
  };
}
