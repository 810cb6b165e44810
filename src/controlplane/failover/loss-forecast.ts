import { parseLsn } from '../../domain/lsn.ts';
import type { ProgressRecord } from '../../domain/agent-reports.ts';

/** A shard of which decisions may be lost. Positions; `lost`: the leader's last known minus the target's. */
export interface ShardLoss {
  readonly shard: number;
  readonly leader: string;
  readonly target: string;
  readonly known: number;
  readonly possible: number;
}

/** What a regional failover may lose; null: not known, which is not none. Counts are decisions. */
export interface LossForecast {
  /** Published by the leader, and not held by the target. */
  readonly known: number | null;
  /** What the leader may have confirmed since, until its right ended. */
  readonly possible: number | null;
  readonly total: number | null;
  /** Above this, and above what was accepted, the decision asks a person. */
  readonly atMost: number | null;
  /** From what the target is known to hold to the end of the leader's right. */
  readonly exposureMs: number | null;
  readonly budgetMs: number;
  readonly bytes: number | null;
  readonly shards: readonly ShardLoss[];
  readonly verdict: 'within' | 'over' | 'unknown';
  readonly basis: readonly string[];
}

export interface LossInputs {
  /** Undefined with the reason: what the leader published is missing, or of another time. */
  readonly leader: ProgressRecord | { readonly unknown: string };
  readonly target:
    | Pick<ProgressRecord, 'lsn' | 'timeline' | 'positions' | 'replayedUntil'>
    | { readonly unknown: string };
  /** By the leader's wall clock; null: not known. */
  readonly rightEndsAtMs: number | null;
  /** While the claim is advertised no decision may be older at the target than this; null: nothing bounds it. */
  readonly claimBoundMs: number | null;
  readonly budgetMs: number;
}

/** Pure: what is known of both, and what the leader could still do after it was last heard. */
export function forecastLoss(inputs: LossInputs): LossForecast {
  const { leader, target, rightEndsAtMs, budgetMs } = inputs;
  const unknown = [leader, target].flatMap((side) => ('unknown' in side ? [side.unknown] : []));
  if (rightEndsAtMs === null) unknown.push('nothing tells when the leader’s right ended');
  if (!('unknown' in leader) && leader.peak === null)
    unknown.push('the leader published as a standby: its rate is not known');
  if ('unknown' in leader || 'unknown' in target || rightEndsAtMs === null || leader.peak === null) {
    return { ...NOTHING_KNOWN, budgetMs, basis: unknown };
  }
  const windowMs = Math.max(0, rightEndsAtMs - Date.parse(leader.at));
  const shards = shardLosses(leader, target, windowMs);
  const known = sumOf(shards.map((shard) => shard.known));
  const lead = sumOf(
    Object.entries(target.positions).map(([shard, held]) => behind(held, leader.positions[shard])),
  );
  const { decisionsPerSecond, bytesPerSecond } = leader.peak;
  const possible = Math.max(0, inWindow(decisionsPerSecond, windowMs) - lead);
  const total = known + possible;
  const exposureMs = exposureOf({ ...inputs, leader, target, rightEndsAtMs, holdsAll: known === 0 });
  const bytesAhead = bytesBetween(leader, target);
  const affected = shards.filter((shard) => shard.known + shard.possible > 0);
  return {
    known,
    possible,
    total,
    atMost: total + Math.ceil(total / 2) + decisionsPerSecond,
    exposureMs,
    budgetMs,
    bytes: bytesAhead === null ? null : Math.max(0, bytesAhead + inWindow(bytesPerSecond, windowMs)),
    shards: affected,
    verdict: exposureMs === null ? 'unknown' : exposureMs <= budgetMs ? 'within' : 'over',
    basis: [
      `the leader published its positions at ${leader.at}, and could decide for at most ${windowMs} ms after it`,
      `its busiest second of the last minute: ${decisionsPerSecond} decisions`,
      ...(exposureMs === null ? ['the target has replayed nothing yet whose time is known'] : []),
    ],
  };
}

const NOTHING_KNOWN = {
  known: null,
  possible: null,
  total: null,
  atMost: null,
  exposureMs: null,
  bytes: null,
  shards: [],
  verdict: 'unknown',
} as const;

type Target = Exclude<LossInputs['target'], { readonly unknown: string }>;

function shardLosses(leader: ProgressRecord, target: Target, windowMs: number): ShardLoss[] {
  const names = new Set([...Object.keys(leader.positions), ...Object.keys(leader.peak?.shards ?? {})]);
  return [...names]
    .map((name) => {
      const published = leader.positions[name] ?? '0';
      const held = target.positions[name] ?? '0';
      const possible = inWindow(leader.peak?.shards[name] ?? 0, windowMs) - behind(held, published);
      return {
        shard: Number(name),
        leader: published,
        target: held,
        known: behind(published, held),
        possible: Math.max(0, possible),
      };
    })
    .toSorted((a, b) => a.shard - b.shard);
}

/** By how many positions the second is behind the first; never negative. */
function behind(first: string, second: string | undefined): number {
  const lead = BigInt(first) - BigInt(second ?? '0');
  return lead > 0n ? Number(lead) : 0;
}

function exposureOf(
  about: LossInputs & {
    readonly leader: ProgressRecord;
    readonly target: Target;
    readonly rightEndsAtMs: number;
    readonly holdsAll: boolean;
  },
): number | null {
  const { leader, target, rightEndsAtMs, holdsAll, claimBoundMs } = about;
  const moments = [
    ...(target.replayedUntil === null ? [] : [Date.parse(target.replayedUntil)]),
    // All that was committed before the leader looked is in what it published.
    ...(holdsAll ? [Date.parse(leader.at)] : []),
  ];
  const counted = moments.length === 0 ? Infinity : Math.max(0, rightEndsAtMs - Math.max(...moments));
  const exposureMs = Math.min(counted, claimBoundMs ?? Infinity);
  return Number.isFinite(exposureMs) ? exposureMs : null;
}

/** LSNs of two timelines can't be compared. */
function bytesBetween(leader: ProgressRecord, target: Target): number | null {
  const [mine, theirs] = [parseLsn(leader.lsn), parseLsn(target.lsn)];
  return mine === undefined || theirs === undefined || leader.timeline !== target.timeline
    ? null
    : Number(mine - theirs);
}

/**
 * What can happen in a window when no second is busier than the busiest that was looked at: it touches one more of those
 * seconds than it is long.
 */
const inWindow = (perSecond: number, windowMs: number): number =>
  windowMs === 0 ? 0 : perSecond * (Math.ceil(windowMs / 1_000) + 1);
const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
