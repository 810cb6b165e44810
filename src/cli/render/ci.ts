/** What a CI system is told: one case a thing that was judged. */
export interface CiReport {
  /** Such as `readiness`. */
  readonly suite: string;
  /** In a few words, such as `not ready: 1 failed, 0 unknown`. */
  readonly verdict: string;
  readonly cases: readonly CiCase[];
  readonly tookMs: number;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface CiCase {
  /** What was demanded: a check, a rule. */
  readonly demand: string;
  readonly subject: string;
  readonly status: 'pass' | 'fail' | 'unknown' | 'skipped';
  readonly message: string;
  /** The evidence, on one line. */
  readonly detail: string;
}
