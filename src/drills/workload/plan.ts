import { defaultReservationId } from '../../reservations/hash.ts';
import { Random } from '../random.ts';
import { drawNotional, HOT_SHARE, planIssuers } from './issuers.ts';
import type { Ask, PlannedIssuer, PlannedRequest, WorkloadOptions } from './types.ts';

/** Shares of all requests; the rest are fresh reserves. */
const SHARES = {
  repeat: 0.1,
  reuse: 0.05,
  release: 0.1,
  limit: 0.02,
  readIssuer: 0.06,
  readOpen: 0.03,
  resolve: 0.03,
  settle: 0.01,
} as const;
/** Of the repeats, reuses and settles: at once with the original. */
const AT_ONCE = 0.3;
const OTHER_GATEWAY = 0.4;
const OTHER_DESK = 0.1;
const NAMES_ITS_RESERVATION = 0.2;
/** Of the reads; the others name a staleness. */
const UNBOUNDED = 0.3;
const BOUND_TO_TOKEN = 0.45;
const STALENESS_MS = [50, 250, 1_500, 10_000] as const;
const RETRY = 0.5;
const RETRIES_MAX = 3;
/** How far back a repeat reaches, in commands, and how many reservations are kept in mind for releases. */
const COMMANDS_KEPT = 400;
const RESERVED_KEPT = 2_000;

/** A command that was planned, with the desk that its token is bound to. */
interface Sent {
  readonly desk: string | null;
  readonly ask: Exclude<Ask, { token: null }>;
}
interface Draft extends Pick<PlannedRequest, 'purpose' | 'desk'> {
  readonly ask: Ask;
  readonly atOnce: boolean;
}

/**
 * What desks in all regions ask for, drawn from the seed alone: the same options give the same issuers and the same endless
 * stream. What the service makes of it is not known here, so a release may name a reservation that was never confirmed.
 */
export class WorkloadPlan {
  readonly issuers: readonly PlannedIssuer[];
  readonly #options: WorkloadOptions;
  readonly #random: Random;
  readonly #hot: readonly string[];
  readonly #cold: readonly string[];
  readonly #commands: Sent[] = [];
  readonly #reserved: Sent[] = [];
  #tokens = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.issuers = planIssuers(options, this.#random);
    this.#hot = this.issuers.filter(({ hot }) => hot).map(({ issuer }) => issuer);
    this.#cold = this.issuers.filter(({ hot }) => !hot).map(({ issuer }) => issuer);
  }

  /** Call it once: the stream goes on from where it is. */
  *requests(): Generator<PlannedRequest, never> {
    const gapMs = 1_000 / this.#options.ratePerSecond;
    let atMs = 0;
    for (let n = 0; ; n += 1) {
      const { atOnce, ...draft } = this.#draft();
      if (n > 0 && !atOnce) atMs += gapMs * (0.5 + this.#random.next());
      const region = draft.desk ?? this.#region();
      const retries: string[] = [];
      while (retries.length < RETRIES_MAX && this.#random.chance(RETRY)) retries.push(this.#region());
      yield { n, atMs, region, via: this.#via(region), retries, ...draft };
    }
  }

  #draft(): Draft {
    let draw = this.#random.next();
    const within = (share: number): boolean => (draw -= share) < 0;
    if (within(SHARES.repeat)) return this.#repeat() ?? this.#reserve();
    if (within(SHARES.reuse)) return this.#reuse() ?? this.#reserve();
    if (within(SHARES.release)) return this.#release() ?? this.#reserve();
    if (within(SHARES.limit)) return this.#limitChange();
    if (within(SHARES.readIssuer)) return this.#read('read-issuer');
    if (within(SHARES.readOpen)) return this.#read('read-open');
    if (within(SHARES.resolve)) return this.#resolve() ?? this.#reserve();
    if (within(SHARES.settle)) return this.#settle();
    return this.#reserve();
  }

  #reserve(): Draft {
    const sent = this.#freshReserve();
    keep(this.#commands, sent, COMMANDS_KEPT);
    keep(this.#reserved, sent, RESERVED_KEPT);
    return { ...sent, purpose: 'fresh', atOnce: false };
  }

  #freshReserve(): Sent {
    const token = this.#token();
    return {
      desk: this.#region(),
      ask: {
        action: 'reserve',
        issuer: this.#issuer(),
        token,
        notional: drawNotional(this.#random),
        reservation: this.#random.chance(NAMES_ITS_RESERVATION) ? `R-${token}` : null,
      },
    };
  }

  #repeat(): Draft | undefined {
    const atOnce = this.#random.chance(AT_ONCE);
    const original = atOnce ? this.#commands.at(-1) : this.#random.pick(this.#commands);
    return original === undefined ? undefined : { ...original, purpose: 'repeat', atOnce };
  }

  /** The token of an earlier command, bound to something else: it has to be refused, or is itself the first to arrive. */
  #reuse(): Draft | undefined {
    const atOnce = this.#random.chance(AT_ONCE);
    const original = atOnce ? this.#commands.at(-1) : this.#random.pick(this.#commands);
    if (original === undefined || original.desk === null) return undefined;
    const { issuer, token } = original.ask;
    const desk = this.#random.chance(OTHER_DESK) ? this.#otherThan(original.desk) : original.desk;
    const notional = drawNotional(this.#random) + 10_000n;
    const ask: Ask = { action: 'reserve', issuer, token, notional, reservation: null };
    return { desk, ask, purpose: 'reuse', atOnce };
  }

  #release(): Draft | undefined {
    const index = this.#random.whole(0, this.#reserved.length - 1);
    const [of] = this.#random.chance(0.95)
      ? this.#reserved.splice(index, 1)
      : this.#reserved.slice(index, index + 1);
    if (of === undefined || of.desk === null || of.ask.action !== 'reserve') return undefined;
    const { issuer, token, reservation } = of.ask;
    const sent: Sent = {
      desk: this.#random.chance(OTHER_DESK / 2) ? this.#otherThan(of.desk) : of.desk,
      ask: {
        action: 'release',
        issuer,
        token: this.#token(),
        reservation: reservation ?? defaultReservationId(issuer, token),
      },
    };
    keep(this.#commands, sent, COMMANDS_KEPT);
    return { ...sent, purpose: 'fresh', atOnce: false };
  }

  #limitChange(): Draft {
    const about = this.issuers[this.#random.chance(0.5) ? 0 : this.#random.whole(0, this.issuers.length - 1)];
    const { issuer, limit, hot } = about ?? { issuer: this.#issuer(), limit: 10_000n, hot: false };
    // Cold issuers may be set so low that they are over their limit.
    const [low, high] = hot ? [85, 115] : [2, 150];
    const changed = (limit * BigInt(this.#random.whole(low, high))) / 100n;
    const action = this.#random.chance(0.4) ? 'correct' : 'set-limit';
    const sent: Sent = { desk: null, ask: { action, issuer, token: this.#token(), limit: changed } };
    keep(this.#commands, sent, COMMANDS_KEPT);
    return { ...sent, purpose: 'fresh', atOnce: false };
  }

  #resolve(): Draft | undefined {
    const of = this.#random.pick(this.#commands.slice(-40));
    if (of === undefined) return undefined;
    const { issuer, token } = of.ask;
    const desk = of.desk ?? this.#region();
    return { desk, ask: { action: 'resolve', issuer, token }, purpose: 'fresh', atOnce: false };
  }

  /** At once with its original, or before it: then the original may come late, as a repeat. */
  #settle(): Draft {
    const atOnce = this.#random.chance(AT_ONCE);
    const last = atOnce ? this.#commands.at(-1) : undefined;
    const of = last ?? this.#freshReserve();
    if (last === undefined) keep(this.#commands, of, COMMANDS_KEPT);
    const { issuer, token } = of.ask;
    return { desk: null, ask: { action: 'settle', issuer, token }, purpose: 'fresh', atOnce };
  }

  #read(action: 'read-issuer' | 'read-open'): Draft {
    const ask: Ask = { action, issuer: this.#issuer(), token: null, bound: this.#bound() };
    return { desk: this.#region(), ask, purpose: 'fresh', atOnce: false };
  }

  #bound(): 'none' | 'newest' | number {
    const draw = this.#random.next();
    if (draw < UNBOUNDED) return 'none';
    return draw < UNBOUNDED + BOUND_TO_TOKEN ? 'newest' : (this.#random.pick(STALENESS_MS) ?? 0);
  }

  #token(): string {
    this.#tokens += 1;
    return `${this.#options.runId}-${this.#tokens}`;
  }

  #issuer(): string {
    const from = this.#random.chance(HOT_SHARE) ? this.#hot : this.#cold;
    return this.#random.pick(from) ?? '';
  }

  #region(): string {
    return this.#random.pick(this.#options.regions) ?? '';
  }

  #otherThan(region: string): string {
    return this.#random.pick(this.#options.regions.filter((one) => one !== region)) ?? region;
  }

  #via(region: string): string {
    return this.#random.chance(OTHER_GATEWAY) ? this.#otherThan(region) : region;
  }
}

function keep(into: Sent[], sent: Sent, most: number): void {
  into.push(sent);
  if (into.length > most) into.shift();
}
