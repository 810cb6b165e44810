import { parseCommitToken } from '../domain/commit-token.ts';
import type { Rule, Violation } from './checker/verdict.ts';
import type { FaultLine, HistoryLine } from './history/types.ts';

/** What one fault of a drill did, and what it cost. */
export interface Round {
  readonly fault: string;
  /** As the fault names it; `none` when it found nothing to be injected into. */
  readonly target: string;
  readonly cluster: string | null;
  readonly successor: string | null;
  /** From the fault to the first decision that a caller was told of under the new term, in milliseconds. */
  readonly outageMs: number | null;
  /** Answers meanwhile, to the end of the fault, that were no outcome: left open, or refused for want of an authority. */
  readonly errors: number;
  /** In words, what else is to be known of it. */
  readonly told: string | null;
  /** Injected and healed. */
  readonly carriedOut: boolean;
  /** Rules that something of its time breaks. */
  readonly broken: readonly Rule[];
}

interface Open {
  readonly began: FaultLine;
  ended: FaultLine | null;
}

const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);

/** Takes a history line by line, and tells what its faults did, in their order. */
export class RoundReader {
  readonly #faults: Open[] = [];
  /** Shard and term -> when a caller was first told of a decision under it. */
  readonly #first = new Map<string, number>();
  readonly #clusterOf = new Map<number, string>();
  readonly #errors: number[] = [];

  add(line: HistoryLine): void {
    if (isError(line)) this.#errors.push(line.t);
    if (line.kind === 'fault') this.#fault(line);
    else if (line.kind === 'head') this.#clusterOf.set(line.shard, line.cluster);
    else if (line.kind === 'ok' && line.result !== null && 'outcome' in line.result) {
      const { outcome, commit_token: token, replayed } = line.result;
      if (outcome !== 'confirmed' || replayed !== false || token === null) return;
      const { shard, term } = parseCommitToken(token);
      const key = `${shard} ${term}`;
      if (!this.#first.has(key)) this.#first.set(key, line.t);
    }
  }

  rounds(violations: readonly Violation[]): readonly Round[] {
    return this.#faults.map(({ began, ended }, index) => {
      const detail: Readonly<Record<string, unknown>> = { ...began.detail, ...ended?.detail };
      const next = this.#faults[index + 1]?.began.t ?? Infinity;
      const broken = violations.filter(({ evidence }) => {
        const t = momentOf(evidence);
        return t !== null && t >= began.t && t < next;
      });
      return {
        fault: began.fault,
        target: began.target,
        cluster: textOf(detail['cluster']),
        successor: textOf(detail['successor']),
        outageMs: this.#outage(detail),
        errors: this.#errorsFrom(numberOf(detail['down_t']) ?? began.t, ended?.t ?? began.t),
        told: textOf(detail['told']) ?? textOf(detail['reason']),
        carriedOut: began.phase === 'began' && ended?.phase === 'healed',
        broken: [...new Set(broken.map(({ rule }) => rule))],
      };
    });
  }

  #fault(line: FaultLine): void {
    const { phase, fault, target } = line;
    const open = this.#faults.find(
      ({ began, ended }) =>
        began.phase === 'began' && ended === null && began.fault === fault && began.target === target,
    );
    if (phase !== 'began' && open !== undefined) open.ended = line;
    else if (phase !== 'healed') this.#faults.push({ began: line, ended: null });
  }

  #errorsFrom(from: number, to: number): number {
    return this.#errors.filter((t) => t >= from && t <= to).length;
  }

  #outage(detail: Readonly<Record<string, unknown>>): number | null {
    const [from, term] = [numberOf(detail['down_t']), numberOf(detail['new_term'])];
    const cluster = textOf(detail['cluster']);
    if (from === null || term === null) return null;
    let first = Infinity;
    for (const [shard, owner] of this.#clusterOf) {
      if (owner === cluster) first = Math.min(first, this.#first.get(`${shard} ${term}`) ?? Infinity);
    }
    return first === Infinity ? null : Math.round(first - from);
  }
}

/** A command that was refused for what it says, or that names what isn't there, is no error of the service. */
const isError = (line: HistoryLine): boolean =>
  line.kind === 'info' || (line.kind === 'fail' && (line.http === null || line.http >= 500));

/** When what breaks a rule was last asked, answered or seen; what was read back at the end is of no time. */
function momentOf(evidence: readonly HistoryLine[]): number | null {
  const seen = evidence.filter(({ kind }) => SEEN.has(kind));
  return seen.at(-1)?.t ?? null;
}

const SEEN: ReadonlySet<HistoryLine['kind']> = new Set(['invoke', 'ok', 'fail', 'info', 'authority']);

export interface Outages {
  readonly measured: number;
  readonly medianMs: number;
  readonly worstMs: number;
}

/** Null when no round has one. */
export function outagesOf(rounds: readonly Round[]): Outages | null {
  const measured = rounds
    .flatMap(({ outageMs }) => (outageMs === null ? [] : [outageMs]))
    .toSorted((a, b) => a - b);
  const median = measured[Math.floor((measured.length - 1) / 2)];
  const worst = measured.at(-1);
  if (median === undefined || worst === undefined) return null;
  return { measured: measured.length, medianMs: median, worstMs: worst };
}
