/**
 * How one call is tried on several etcd endpoints. An endpoint that fails at once is followed by the next at once; one
 * that is silent (a paused process, a cut link) is followed by the next after `staggerMs`, and its late answer still
 * counts. `lost` means that the attempt may have taken effect; `unsent` that it provably did not.
 */
export type Outcome<T> =
  | { readonly kind: 'answer'; readonly value: T }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'unsent'; readonly error: unknown }
  | { readonly kind: 'lost'; readonly error: unknown };

export type RaceResult<E, T> =
  | { readonly kind: 'answer'; readonly value: T; readonly endpoint: E }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'exhausted'; readonly inDoubt: boolean; readonly errors: readonly unknown[] };

export interface RaceOptions<E, T> {
  /** In order of preference. */
  readonly endpoints: readonly E[];
  /** Must settle by itself soon after `timeoutMs`; a late loser is ignored. */
  readonly run: (endpoint: E, signal: AbortSignal) => Promise<Outcome<T>>;
  readonly timeoutMs: number;
  /** Undefined: a silent endpoint is never followed by another, because a second try could take effect twice. */
  readonly staggerMs: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether this answer settles the call, given whether another attempt may still have taken effect. */
  readonly settles?: (value: T, othersInDoubt: boolean) => boolean;
}

/** Tries the endpoints as described above. Never rejects; ends within `timeoutMs`. */
export function raceEndpoints<E, T>(options: RaceOptions<E, T>): Promise<RaceResult<E, T>> {
  return new Promise((resolve) => new Race(options, resolve).start());
}

/** A reason that costs nothing to make. */
const OVER = 'the race is over';

class Race<E, T> {
  readonly #options: RaceOptions<E, T>;
  readonly #resolve: (result: RaceResult<E, T>) => void;
  readonly #losers = new AbortController();
  readonly #errors: unknown[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #next = 0;
  #pending = 0;
  #lost = 0;
  #held: { value: T; endpoint: E } | undefined;
  #finished = false;

  constructor(options: RaceOptions<E, T>, resolve: (result: RaceResult<E, T>) => void) {
    this.#options = options;
    this.#resolve = resolve;
  }

  start(): void {
    const { timeoutMs, signal } = this.#options;
    this.#timers.push(
      setTimeout(() => this.#giveUp(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs),
    );
    if (signal?.aborted === true) return this.#giveUp(signal.reason);
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#launch();
  }

  readonly #onAbort = () => this.#giveUp(this.#options.signal?.reason);

  #launch(): void {
    const { endpoints, run, staggerMs } = this.#options;
    const endpoint = endpoints[this.#next];
    if (this.#finished || this.#held !== undefined || endpoint === undefined) return;
    this.#next += 1;
    this.#pending += 1;
    const silent =
      staggerMs === undefined || this.#next >= endpoints.length
        ? undefined
        : setTimeout(() => this.#launch(), staggerMs);
    if (silent !== undefined) this.#timers.push(silent);
    void run(endpoint, this.#losers.signal)
      .catch((error: unknown): Outcome<T> => ({ kind: 'lost', error }))
      .then((outcome) => this.#onOutcome(endpoint, outcome, silent));
  }

  #onOutcome(endpoint: E, outcome: Outcome<T>, silent: NodeJS.Timeout | undefined): void {
    clearTimeout(silent);
    this.#pending -= 1;
    if (this.#finished) return;
    const { settles = () => true, staggerMs } = this.#options;
    const inDoubt = () => this.#pending + this.#lost > 0;
    if (outcome.kind === 'answer') {
      if (settles(outcome.value, inDoubt())) {
        return this.#finish({ kind: 'answer', value: outcome.value, endpoint });
      }
      this.#held ??= { value: outcome.value, endpoint };
    } else {
      this.#errors.push(outcome.error);
      if (outcome.kind === 'refused' && !inDoubt()) return this.#finish(outcome);
      if (outcome.kind === 'lost') this.#lost += 1;
      if (outcome.kind === 'unsent' || (outcome.kind === 'lost' && staggerMs !== undefined)) this.#launch();
    }
    if (this.#held !== undefined && settles(this.#held.value, inDoubt())) {
      return this.#finish({ kind: 'answer', ...this.#held });
    }
    if (this.#pending === 0) {
      this.#finish({ kind: 'exhausted', inDoubt: this.#lost > 0, errors: this.#errors });
    }
  }

  #giveUp(error: unknown): void {
    this.#finish({
      kind: 'exhausted',
      inDoubt: this.#pending + this.#lost > 0,
      errors: [...this.#errors, error],
    });
  }

  #finish(result: RaceResult<E, T>): void {
    if (this.#finished) return;
    this.#finished = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#losers.abort(OVER);
    this.#resolve(result);
  }
}
