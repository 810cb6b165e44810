import type { WatermarkFacts } from './queries/watermarks.ts';

/** How far one shard's rows go, and how old that is. */
export interface ShardFreshness {
  readonly shard: number;
  /** `absent`: no projector has begun with it. */
  readonly state: WatermarkFacts['state'] | 'absent';
  readonly stateReason: string | null;
  readonly paused: boolean;
  readonly position: string;
  readonly generation: number;
  readonly term: number;
  readonly decidedAt: string | null;
  /** The log held no more than this at that moment; null: nobody can say. */
  readonly asOf: string | null;
  /** Null is unknown, and within no budget. */
  readonly stalenessMs: number | null;
  readonly withinBudget: boolean;
}

/** An answer as a whole is as fresh as the oldest of its shards. */
export interface Freshness {
  readonly asOf: string | null;
  readonly stalenessMs: number | null;
  readonly withinBudget: boolean;
  readonly budgetMs: number;
  readonly shards: readonly ShardFreshness[];
}

export interface FreshnessOptions {
  readonly shards: readonly number[];
  readonly facts: readonly WatermarkFacts[];
  /** The reader's wall clock at the moment of the snapshot, or before: staleness is never less than the truth. */
  readonly nowMs: number;
  /** A moment further in the future than this is believed by nobody. */
  readonly clockSkewMaxMs: number;
  readonly budgetMs: number;
}

/** What a shard is known to lack nothing before isn't told by one that forked or is being rebuilt: its rows are another log's. */
const TELLING: ReadonlySet<string> = new Set(['live', 'gap']);

export function freshnessOf(options: FreshnessOptions): Freshness {
  const { budgetMs } = options;
  const byShard = new Map(options.facts.map((fact) => [fact.shard, fact]));
  const shards = options.shards.map((shard) => freshnessOfShard(shard, byShard.get(shard), options));
  const known = shards.every(({ stalenessMs }) => stalenessMs !== null) && shards.length > 0;
  const oldest = shards.reduce<ShardFreshness | undefined>(
    (old, next) => (old === undefined || (next.stalenessMs ?? 0) > (old.stalenessMs ?? 0) ? next : old),
    undefined,
  );
  return {
    asOf: known ? (oldest?.asOf ?? null) : null,
    stalenessMs: known ? (oldest?.stalenessMs ?? null) : null,
    withinBudget: shards.length > 0 && shards.every(({ withinBudget }) => withinBudget),
    budgetMs,
    shards,
  };
}

function freshnessOfShard(
  shard: number,
  fact: WatermarkFacts | undefined,
  { nowMs, clockSkewMaxMs, budgetMs }: FreshnessOptions,
): ShardFreshness {
  if (fact === undefined) {
    return {
      shard,
      state: 'absent',
      stateReason: null,
      paused: false,
      position: '0',
      generation: 0,
      term: 0,
      decidedAt: null,
      asOf: null,
      stalenessMs: null,
      withinBudget: false,
    };
  }
  const asOf = TELLING.has(fact.state) ? fact.asOf : null;
  const ageMs = asOf === null ? null : nowMs - Date.parse(asOf);
  const stalenessMs = ageMs === null || ageMs < -clockSkewMaxMs ? null : Math.max(0, Math.ceil(ageMs));
  return {
    ...fact,
    asOf,
    stalenessMs,
    withinBudget: fact.state === 'live' && stalenessMs !== null && stalenessMs <= budgetMs,
  };
}
