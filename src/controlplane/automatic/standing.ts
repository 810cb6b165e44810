import type { FailoverPolicy } from '../../domain/contract.ts';
import type { PauseRecord, TalliedFailover, TallyRecord } from '../../domain/operation-records.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Versioned } from '../store.ts';

/** What a person has decided of automatic failovers, and what stands in their way until one does. */
export type AutomaticStanding = 'off' | 'paused' | 'blocked' | 'on';

/** The pause that is in force at this time; one that has run out counts as none. `nowMs`: wall clock. */
export function pauseInForce(
  pause: Versioned<PauseRecord> | undefined,
  nowMs: number,
): PauseRecord | undefined {
  if (pause === undefined) return undefined;
  const { until } = pause.value;
  // A time that can't be read is no reason to let a pause go.
  return until !== null && Date.parse(until) <= nowMs ? undefined : pause.value;
}

export function standingOf(
  view: Pick<ClusterView, 'pause' | 'block'>,
  policy: Pick<FailoverPolicy, 'automatic'>,
  nowMs: number,
): AutomaticStanding {
  if (!policy.automatic) return 'off';
  if (pauseInForce(view.pause, nowMs) !== undefined) return 'paused';
  return view.block === undefined ? 'on' : 'blocked';
}

/** The automatic failovers that still count. One from a later time, after the clock was set back, counts too. */
export const countedFailovers = (
  tally: Versioned<TallyRecord> | undefined,
  { flap }: Pick<FailoverPolicy, 'flap'>,
  nowMs: number,
): readonly TalliedFailover[] =>
  (tally?.value.begun ?? []).filter(({ at }) => !(nowMs - Date.parse(at) > flap.withinMs));

/** Whether one more would be more than the contract lets begin within its time. */
export const isFlapping = (
  tally: Versioned<TallyRecord> | undefined,
  policy: Pick<FailoverPolicy, 'flap'>,
  nowMs: number,
): boolean => countedFailovers(tally, policy, nowMs).length >= policy.flap.max;
