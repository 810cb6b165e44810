import type { EstateWatch } from '../controlplane/estate-watch.ts';
import { messageOf } from '../domain/errors.ts';
import { type LogCadence, logCadenceOf } from '../domain/reading.ts';
import { beat, readHeadsToBeat } from '../reservations/heartbeat-sql.ts';
import type { ClusterScope } from '../reservations/read-log.ts';
import type { MemberContext } from './context.ts';
import type { Session } from './local-session.ts';

/** Nothing moved for so long: it is looked for less often. */
const QUIET_AFTER_MS = 5_000;
const QUIET_FACTOR = 3;
/**
 * A wait for followers isn't given up for less: whoever hangs up leaves the backend waiting, and the next look would leave
 * another. What it proves in the end is old, and says so.
 */
const WAIT_MAX_MS = 120_000;

/** Says in Postgres, while this member leads and holds its lease, what is confirmed and when; src/projections/SPEC.md. */
export class Beats {
  readonly #context: MemberContext;
  readonly #session: Session;
  readonly #watch: EstateWatch;
  readonly #leaseLeftMs: () => number | null;
  readonly #cadence: LogCadence;
  #beatenAtMs = -Infinity;
  #movedAtMs = -Infinity;
  #reason: string | null = null;

  constructor(options: {
    readonly context: MemberContext;
    /** Whose commits wait for followers. */
    readonly session: Session;
    readonly watch: EstateWatch;
    readonly leaseLeftMs: () => number | null;
  }) {
    this.#context = options.context;
    this.#session = options.session;
    this.#watch = options.watch;
    this.#leaseLeftMs = options.leaseLeftMs;
    this.#cadence = logCadenceOf(options.context.contract);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    const hangUp = () => this.#session.drop();
    signal.addEventListener('abort', hangUp, { once: true });
    while (!signal.aborted) {
      const begun = clock.monotonicMs();
      const scope = this.#scope();
      if (scope !== undefined) this.#tell(await this.#look(scope));
      await clock.sleep(this.#restMs(begun), signal);
    }
    signal.removeEventListener('abort', hangUp);
    await this.#session.close();
  }

  /** The authority that this member holds by the view of etcd; what is no longer so, the fence refuses. */
  #scope(): ClusterScope | undefined {
    const { cluster, member } = this.#context;
    const { authority, membership } = this.#watch.current().clusters.get(cluster) ?? {};
    if (authority?.value.phase !== 'open' || authority.value.leader !== member || membership === undefined)
      return undefined;
    if ((this.#leaseLeftMs() ?? 0) <= 0) return undefined;
    return { cluster, epoch: membership.value.epoch, term: authority.value.term };
  }

  /** Why nothing was said; null: it was, or there was nothing to say. */
  async #look(scope: ClusterScope): Promise<string | null> {
    const { clock } = this.#context;
    const begun = clock.monotonicMs();
    const due = begun - this.#beatenAtMs >= this.#cadence.idleBeatEveryMs;
    try {
      return await this.#session.use(async (client) => {
        const options = { deadlineMs: WAIT_MAX_MS, clock };
        const read = await readHeadsToBeat(client, scope, { due }, options);
        if (read.kind !== 'read') return `heads not read: ${read.message}`;
        if (read.at === null) return null;
        if (read.heads.length > 0) this.#movedAtMs = begun;
        const result = await beat(client, scope, { ...read, at: read.at }, options);
        if (result.kind === 'refused' || result.kind === 'unknown') return `not beaten: ${result.message}`;
        this.#beatenAtMs = begun;
        return null;
      }, 2 * WAIT_MAX_MS);
    } catch (error) {
      return messageOf(error);
    }
  }

  #restMs(begun: number): number {
    const { beatEveryMs, idleBeatEveryMs } = this.#cadence;
    const now = this.#context.clock.monotonicMs();
    const quiet = now - this.#movedAtMs > QUIET_AFTER_MS;
    const everyMs = quiet ? Math.min(QUIET_FACTOR * beatEveryMs, idleBeatEveryMs) : beatEveryMs;
    return Math.max(1, everyMs - (now - begun));
  }

  #tell(reason: string | null): void {
    if ((reason === null) !== (this.#reason === null))
      this.#context.logger.debug(
        { reason },
        reason === null ? 'heartbeats are beaten again' : 'no heartbeat',
      );
    this.#reason = reason;
  }
}
