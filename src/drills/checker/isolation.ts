import type { HistoryLine, IsolatedLine } from '../history/types.ts';
import { linesOf, reported } from './evidence.ts';
import type { Commit, Facts } from './facts.ts';
import { isDecided } from './tokens.ts';
import type { Findings } from './verdict.ts';

interface Isolation {
  readonly began: IsolatedLine;
  readonly ended: IsolatedLine | null;
}

/**
 * A leader that is cut off stops by itself: a lease later nobody holds its right or decides anything by it. What was seen or answered
 * only after the end says nothing: one that leads on may have renewed its right by then.
 */
export function judgeIsolation(
  findings: Findings,
  { isolated, authorities, answered, header }: Facts,
  clusterOf: (commit: Commit) => { readonly cluster: string; readonly line: HistoryLine } | null,
): void {
  const ttlMs = header?.leaseTtlMs ?? null;
  if (ttlMs === null || header === null) return;
  for (const { began, ended } of pairsOf(isolated)) {
    const overAt = began.t + ttlMs;
    const untilT = ended?.t ?? Infinity;
    const { cluster, member, term } = began;
    findings.judged += 1;
    const held = authorities.find(
      (line) => line.cluster === cluster && line.term === term && line.asked_t > overAt && line.t < untilT,
    );
    if (held !== undefined) {
      const lateMs = Math.round(held.asked_t - began.t);
      findings.add(`${held.member} held the right of ${cluster} ${lateMs} ms after it was cut off`, () => [
        header,
        began,
        held,
      ]);
    }
    const decided = answered.find((operation) => {
      const { decision, invokeT, answerT } = operation;
      if (!isDecided(operation) || decision?.replayed !== false || decision.commit === null) return false;
      if (invokeT <= overAt || answerT >= untilT || decision.commit.term !== term) return false;
      return clusterOf(decision.commit)?.cluster === cluster;
    });
    if (decided === undefined) continue;
    const lateMs = Math.round(decided.invokeT - began.t);
    findings.add(
      `${reported(decided)}, asked for ${lateMs} ms after ${member} was cut off with a lease of ${ttlMs} ms`,
      () => {
        const commit = decided.decision?.commit;
        const found = commit ? clusterOf(commit) : null;
        return [header, began, ...linesOf(decided), ...(found === null ? [] : [found.line])];
      },
    );
  }
}

function pairsOf(lines: readonly IsolatedLine[]): readonly Isolation[] {
  return lines
    .filter(({ phase }) => phase === 'began')
    .map((began) => ({
      began,
      ended:
        lines.find(
          ({ phase, cluster, member, i }) =>
            phase === 'ended' && cluster === began.cluster && member === began.member && i > began.i,
        ) ?? null,
    }));
}
