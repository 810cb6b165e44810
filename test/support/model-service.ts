import type { DecisionResult, LogLine, Outcome } from '../../src/drills/history/types.ts';

/** The reservation service as it ought to be, in a few lines and without concurrency: each call is one step. */
export interface Ask {
  readonly action: 'reserve' | 'release' | 'set-limit' | 'settle';
  readonly issuer: string;
  readonly token: string;
  /** Of a reserve or a limit, in cents. */
  readonly amount: number;
  readonly reservation: string;
}

interface Exposure {
  limit: number;
  reserved: number;
  readonly open: Map<string, number>;
  readonly released: Set<string>;
  /** The position of its last change. */
  changedAt: number;
}
interface Stored {
  readonly ask: Ask;
  readonly entry: ModelEntry;
  readonly result: DecisionResult;
}
export interface ModelEntry {
  readonly ask: Ask;
  readonly shard: number;
  readonly position: number;
  readonly generation: number;
  readonly term: number;
  readonly event: LogLine['event'];
  readonly amount: number | null;
  readonly reservedAfter: number | null;
  readonly limitAfter: number | null;
}

export const money = (cents: number): string => (cents / 100).toFixed(2);

export class ModelShard {
  readonly id: number;
  readonly cluster: string;
  readonly lineage: { generation: number; term: number; first: number }[] = [
    { generation: 1, term: 1, first: 1 },
  ];
  log: ModelEntry[] = [];
  #issuers = new Map<string, Exposure>();
  #tokens = new Map<string, Stored>();
  #highestTerm = 1;

  constructor(id: number) {
    this.id = id;
    this.cluster = id % 2 === 0 ? 'c1' : 'c2';
  }

  get position(): number {
    return this.log.length;
  }

  get term(): number {
    return this.lineage.at(-1)?.term ?? 1;
  }

  exposure(issuer: string): Exposure | undefined {
    return this.#issuers.get(issuer);
  }

  /** The position of the issuer's last change, as the gateway's document of an issuer says it. */
  changedAt(issuer: string): number {
    return this.#issuers.get(issuer)?.changedAt ?? 0;
  }

  find(issuer: string, token: string): DecisionResult | undefined {
    return this.#tokens.get(`${issuer}/${token}`)?.result;
  }

  failOver(): void {
    this.#highestTerm += 1;
    this.lineage.push({ generation: 1, term: this.#highestTerm, first: this.position + 1 });
  }

  /** A failover that loses what is beyond `kept`; answers what is gone. */
  failOverTo(kept: number): ModelEntry[] {
    const gone = this.log.slice(kept);
    const left = this.log.slice(0, kept);
    this.log = [];
    this.#issuers = new Map();
    this.#tokens = new Map();
    for (const entry of left) this.#write(entry.ask, entry);
    while ((this.lineage.at(-1)?.first ?? 0) > kept + 1) this.lineage.pop();
    this.failOver();
    return gone;
  }

  /** Decides, replays, or refuses without effect (null). */
  decide(ask: Ask): DecisionResult | null {
    const stored = this.#tokens.get(`${ask.issuer}/${ask.token}`);
    if (stored !== undefined) {
      const { result } = stored;
      const isSame =
        ask.action === 'settle' ||
        stored.entry.event === 'abandoned' ||
        JSON.stringify(ask) === JSON.stringify(stored.ask);
      return isSame ? { ...result, replayed: true } : null;
    }
    return this.#write(ask, null);
  }

  #write(ask: Ask, as: ModelEntry | null): DecisionResult | null {
    const held = this.#issuers.get(ask.issuer);
    const found = decideOne(ask, held);
    if (found === null) return null;
    const { event, amount, exposure } = found;
    if (exposure !== undefined) this.#issuers.set(ask.issuer, exposure);
    const entry: ModelEntry = as ?? {
      ask,
      shard: this.id,
      position: this.position + 1,
      generation: 1,
      term: this.term,
      event,
      amount,
      reservedAfter: exposure?.reserved ?? null,
      limitAfter: exposure?.limit ?? null,
    };
    this.log.push(entry);
    if (exposure !== undefined && event !== 'abandoned' && !event.endsWith('rejected')) {
      exposure.changedAt = entry.position;
    }
    const result = resultOf(entry);
    this.#tokens.set(`${ask.issuer}/${ask.token}`, { ask, entry, result });
    return result;
  }
}

interface Found {
  readonly event: LogLine['event'];
  readonly amount: number | null;
  readonly exposure: Exposure | undefined;
}

function decideOne(ask: Ask, exposure: Exposure | undefined): Found | null {
  const { action, amount, reservation } = ask;
  if (action === 'settle') return { event: 'abandoned', amount: null, exposure };
  if (action === 'set-limit') {
    const made = exposure ?? { limit: 0, reserved: 0, open: new Map(), released: new Set(), changedAt: 0 };
    made.limit = amount;
    return { event: 'limit_set', amount, exposure: made };
  }
  if (exposure === undefined) return null;
  if (action === 'reserve') {
    if (exposure.open.has(reservation) || exposure.released.has(reservation)) return null;
    if (exposure.reserved + amount > exposure.limit) return { event: 'reserve_rejected', amount, exposure };
    exposure.reserved += amount;
    exposure.open.set(reservation, amount);
    return { event: 'reserved', amount, exposure };
  }
  const held = exposure.open.get(reservation);
  if (held === undefined) {
    return exposure.released.has(reservation) ? { event: 'release_rejected', amount: null, exposure } : null;
  }
  exposure.open.delete(reservation);
  exposure.released.add(reservation);
  exposure.reserved -= held;
  return { event: 'released', amount: held, exposure };
}

/** As the gateway answers: a reserve says what remains, a limit says what is reserved as well. */
function resultOf({
  ask,
  shard,
  position,
  term,
  event,
  reservedAfter,
  limitAfter,
}: ModelEntry): DecisionResult {
  const outcome: Outcome =
    event === 'abandoned' ? 'abandoned' : event.endsWith('rejected') ? 'rejected' : 'confirmed';
  const isLimit = event === 'limit_set';
  const left = reservedAfter === null || limitAfter === null ? null : money(limitAfter - reservedAfter);
  return {
    outcome,
    reason:
      outcome !== 'rejected' ? null : ask.action === 'reserve' ? 'insufficient_headroom' : 'already_released',
    position: String(position),
    commit_token: `shard${shard}@${position}~1.${term}`,
    reservation: isLimit || outcome !== 'confirmed' ? null : ask.reservation,
    remaining: outcome === 'abandoned' ? null : left,
    reserved_after: isLimit && reservedAfter !== null ? money(reservedAfter) : null,
    limit_after: isLimit && limitAfter !== null ? money(limitAfter) : null,
    replayed: false,
    digest: outcome === 'abandoned' ? null : `digest-${shard}-${position}-${term}`,
  };
}
