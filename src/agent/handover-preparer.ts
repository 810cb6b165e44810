import { timestampOf } from '../clock/clock.ts';
import { Wake } from '../clock/wake.ts';
import type { ClusterView } from '../controlplane/cluster-view.ts';
import type { EstateWatch } from '../controlplane/estate-watch.ts';
import { revisionOf, Transaction } from '../controlplane/store.ts';
import { messageOf } from '../domain/errors.ts';
import type { HandoverReady, HandoverRequest } from '../domain/agent-reports.ts';
import type { MemberContext } from './context.ts';
import type { Session } from './local-session.ts';

/** A change of the view wakes it sooner. */
const TICK_MS = 500;
const CHECKPOINT_TIMEOUT_MS = 600_000;
/** What a checkpoint writes in this time, the next one won't have to: then the shutdown is as short as it can be. */
const SHORT_MS = 300;
const CHECKPOINTS_MAX = 3;

/**
 * Makes what callers will wait for short, while the leader still decides. The leader makes checkpoints, so that its shutdown has
 * little to write, and tells etcd; the target opens its connections. A loop of its own, because a checkpoint may take minutes and the lease may not wait for it.
 */
export class HandoverPreparer {
  readonly #context: MemberContext;
  readonly #watch: EstateWatch;
  readonly #session: () => Session;
  readonly #warmUp: () => Promise<void>;
  #warmedFor: string | undefined;

  constructor(options: {
    readonly context: MemberContext;
    readonly watch: EstateWatch;
    /** A superuser's, with that deadline for a statement. */
    readonly session: (timeoutMs: number) => Session;
    /** Opens what a new leader's first steps go over: on a standby already, and it stays open when that is promoted. */
    readonly warmUp: () => Promise<void>;
  }) {
    this.#context = options.context;
    this.#watch = options.watch;
    this.#session = () => options.session(CHECKPOINT_TIMEOUT_MS);
    this.#warmUp = options.warmUp;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { logger, clock } = this.#context;
    const wake = new Wake(clock);
    const stop = this.#watch.onChange(() => wake.call());
    try {
      while (!signal.aborted) {
        try {
          await this.#prepare();
        } catch (error) {
          logger.warn({ reason: messageOf(error) }, 'a hand-over could not be prepared');
        }
        await wake.rest(TICK_MS, signal);
      }
    } finally {
      stop();
    }
  }

  async #prepare(): Promise<void> {
    const { cluster, member, etcd, keys, logger, clock } = this.#context;
    const view = this.#watch.current().clusters.get(cluster);
    const { operation, target } = view?.handoverRequest?.value ?? {};
    if (target === member && this.#warmedFor !== operation) {
      this.#warmedFor = operation;
      await this.#warmUp();
    }
    const request = view === undefined ? undefined : openRequest(view, member);
    if (view === undefined || request === undefined) return;
    const checkpointMs = await this.#checkpoint();
    const ready: HandoverReady = {
      operation: request.operation,
      term: request.term,
      member,
      checkpointMs,
      at: timestampOf(clock),
    };
    const written = await new Transaction(etcd)
      .expect(keys.authority(cluster), revisionOf(view.authority))
      .put(keys.handoverReady(cluster), ready)
      .commit();
    if (written) logger.info({ operation: request.operation, checkpointMs }, 'ready to hand over');
  }

  /** How long the last one took. */
  async #checkpoint(): Promise<number> {
    const { clock } = this.#context;
    const session = this.#session();
    try {
      await session.query('set statement_timeout = 0');
      let lastMs = Infinity;
      for (let made = 0; made < CHECKPOINTS_MAX && lastMs > SHORT_MS; made += 1) {
        const begunMs = clock.monotonicMs();
        await session.query('checkpoint');
        lastMs = clock.monotonicMs() - begunMs;
      }
      return Math.round(lastMs);
    } finally {
      await session.close();
    }
  }
}

/** The request that this leader has not answered yet. */
function openRequest(view: ClusterView, member: string): HandoverRequest | undefined {
  const authority = view.authority?.value;
  const request = view.handoverRequest?.value;
  const ready = view.handoverReady?.value;
  if (authority?.phase !== 'open' || authority.leader !== member) return undefined;
  if (request?.leader !== member || request.term !== authority.term) return undefined;
  return ready?.operation === request.operation && ready.term === request.term ? undefined : request;
}
