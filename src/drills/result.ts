import type { Excerpt } from './checker/excerpt.ts';
import type { Verdict } from './checker/verdict.ts';
import type { Round } from './rounds.ts';
import type { Scale } from './tally.ts';

/** One run of a drill, as it is kept. */
export interface DrillResult {
  readonly id: string;
  readonly drill: string;
  readonly promise: string;
  readonly invariants: readonly string[];
  readonly seed: number;
  /** Of the Capstan that ran it. */
  readonly version: string;
  readonly sandbox: string;
  readonly options: {
    readonly faults: readonly string[];
    /** Faults in turn; null: in windows that may overlap. */
    readonly rounds: number | null;
    readonly durationMs: number;
    readonly ratePerSecond: number;
  };
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly tookMs: number;
  readonly scale: Scale;
  /** What its faults did, in their order. Absent in runs that were kept before there was one. */
  readonly rounds?: readonly Round[];
  readonly verdict: Verdict;
  /** The file that the verdict is on. */
  readonly history: string;
  /** The least of it that shows the first violation; null when nothing is violated. */
  readonly excerpt: Excerpt | null;
}

/**
 * What a run shows. `inconclusive`: no rule is broken, but nothing could be judged, or none of its faults took hold: a
 * promise that was never tried is not kept.
 */
export type Standing = 'held' | 'broken' | 'inconclusive';

export function standingOf({ verdict, options, scale }: DrillResult): Standing {
  if (verdict.rules.some(({ status }) => status === 'broken')) return 'broken';
  const tried = options.faults.length === 0 || scale.faultsInjected > 0;
  return verdict.held && tried ? 'held' : 'inconclusive';
}
