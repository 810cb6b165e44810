const SUSPECT_MS = 5_000;

interface Health {
  goodAt: number;
  badAt: number;
}

/**
 * Which endpoint to ask first. The configured order is the order of preference (nearest first); an endpoint that failed
 * or was silent goes behind the others until it answers again or the suspicion is 5 s old, when it is worth a try.
 */
export class EndpointOrder<E> {
  readonly #endpoints: readonly E[];
  readonly #health = new Map<E, Health>();

  constructor(endpoints: readonly E[]) {
    this.#endpoints = endpoints;
  }

  /** All endpoints, the most promising first. */
  list(): readonly E[] {
    const now = performance.now();
    const trusted = this.#endpoints.filter((endpoint) => !this.#suspect(endpoint, now));
    const suspects = this.#endpoints
      .filter((endpoint) => this.#suspect(endpoint, now))
      .toSorted((a, b) => (this.#health.get(a)?.badAt ?? 0) - (this.#health.get(b)?.badAt ?? 0));
    return [...trusted, ...suspects];
  }

  good(endpoint: E): void {
    const badAt = this.#health.get(endpoint)?.badAt ?? -Infinity;
    this.#health.set(endpoint, { goodAt: performance.now(), badAt });
  }

  bad(endpoint: E): void {
    const goodAt = this.#health.get(endpoint)?.goodAt ?? -Infinity;
    this.#health.set(endpoint, { goodAt, badAt: performance.now() });
  }

  /** Milliseconds since this endpoint last answered; Infinity when it never did or failed since. */
  provenMsAgo(endpoint: E): number {
    const health = this.#health.get(endpoint);
    return health === undefined || health.badAt > health.goodAt
      ? Infinity
      : performance.now() - health.goodAt;
  }

  #suspect(endpoint: E, now: number): boolean {
    const health = this.#health.get(endpoint);
    return health !== undefined && health.badAt > health.goodAt && now - health.badAt < SUSPECT_MS;
  }
}
