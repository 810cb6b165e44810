import { blockAutomatic } from '../../controlplane/automatic/block.ts';
import type { EstateWatch } from '../../controlplane/estate-watch.ts';
import type { SeenLapsed } from '../../controlplane/failover/automatic-fence.ts';
import { runFailover } from '../../controlplane/failover/run.ts';
import { assertNever, CapstanError, messageOf } from '../../domain/errors.ts';
import { failoverPolicyOf } from '../../domain/failover-policy.ts';
import type { MemberState } from '../../domain/records.ts';
import type { MemberContext } from '../context.ts';
import { Adopter } from './adopter.ts';
import { type AutomaticDecision, decideAutomatic, leaderSilentMs } from './decide.ts';
import { nextSight, type Sight } from './sight.ts';

/** Once a renewal is late each look adds at most this to the pause that callers feel. */
const TICK_MS = 100;

/** How an attempt ends when another agent, an operator or the leader itself was first: nothing to say about it. */
const STOOD_BACK: ReadonlySet<string> = new Set([
  'automatic_stood_down',
  'plan_drifted',
  'operation_active',
  'operation_superseded',
  'leader_healthy',
]);

export interface AutomaticFailoverOptions {
  readonly context: Pick<
    MemberContext,
    'cluster' | 'member' | 'etcd' | 'keys' | 'contract' | 'memory' | 'logger' | 'clock'
  >;
  readonly watch: EstateWatch;
  readonly state: () => MemberState;
  /** Whether a member's host refuses connections to its Postgres. */
  readonly isRefusedBy: (member: string) => Promise<boolean>;
}

/**
 * Replaces a leader whose lease has lapsed, and carries operations on that nobody drives. A loop of its own: while it
 * coordinates, the agent goes on freezing and promoting its member as any coordinator asks.
 */
export class AutomaticFailover {
  readonly #options: AutomaticFailoverOptions;
  readonly #adopter: Adopter;
  readonly #actor: string;
  #sight: Sight | undefined;
  #refusals = 0;
  #stopped: string | undefined;
  #notBeforeMs = -Infinity;
  #said = '';

  constructor(options: AutomaticFailoverOptions) {
    this.#options = options;
    this.#actor = `agent:${options.context.member}`;
    this.#adopter = new Adopter({ ...options.context, actor: this.#actor, watch: options.watch });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { watch, context } = this.#options;
    // Each change is timed when it is seen, also while an operation is driven.
    const stop = watch.onChange(() => this.#look());
    try {
      while (!signal.aborted) {
        await this.#knock();
        await this.#act(this.#decide(), signal);
        await context.clock.sleep(this.#restMs(), signal);
      }
    } finally {
      stop();
    }
  }

  /** Nothing is due before the leader's next renewal is. */
  #restMs(): number {
    const { watch, context } = this.#options;
    const { leaseChangedAtMs } = this.#look();
    const renewEveryMs = watch.current().contract?.value.lease.renewEveryMs ?? 0;
    return Math.max(TICK_MS, leaseChangedAtMs + renewEveryMs - context.clock.monotonicMs());
  }

  #look(): Sight {
    const { watch, context } = this.#options;
    const { cluster, clock } = context;
    this.#sight = nextSight(this.#sight, { view: watch.current(), cluster, nowMs: clock.monotonicMs() });
    return this.#sight;
  }

  /** Asks the leader's host for its Postgres once its agent is later than it should be, and not before. */
  async #knock(): Promise<void> {
    const { watch, context, isRefusedBy } = this.#options;
    const { cluster, member, clock } = context;
    const estate = watch.current();
    const leader = estate.clusters.get(cluster)?.authority?.value.leader ?? member;
    const contract = estate.contract?.value;
    const late =
      contract?.failover?.deadAfterMs !== undefined &&
      leaderSilentMs(this.#look(), clock.monotonicMs()) > contract.lease.renewEveryMs;
    if (late && leader !== member && (await isRefusedBy(leader))) this.#refusals += 1;
    else this.#refusals = 0;
  }

  #decide(): AutomaticDecision {
    const { watch, context, state } = this.#options;
    const { cluster, member, memory, clock } = context;
    const sight = this.#look();
    const estate = watch.current();
    return decideAutomatic({
      member,
      state: state(),
      incarnation: memory.value.incarnation,
      contract: estate.contract?.value,
      view: estate.clusters.get(cluster),
      sight,
      stopped: this.#stopped,
      refusals: this.#refusals,
      staleForMs: watch.staleForMs(),
      nowMs: clock.monotonicMs(),
      wallMs: clock.wallMs(),
    });
  }

  /** Never throws: whatever goes wrong is looked at again. */
  async #act(decision: AutomaticDecision, signal: AbortSignal): Promise<void> {
    const { clock, contract } = this.#options.context;
    if (decision.kind === 'stand-by' || clock.monotonicMs() < this.#notBeforeMs) return;
    this.#stopped = undefined;
    try {
      await this.#carryOut(decision, signal);
      this.#said = '';
    } catch (error) {
      this.#notBeforeMs = clock.monotonicMs() + contract.liveness.heartbeatEveryMs;
      this.#say(decision, error);
    }
  }

  async #carryOut(
    decision: Exclude<AutomaticDecision, { kind: 'stand-by' }>,
    signal: AbortSignal,
  ): Promise<void> {
    switch (decision.kind) {
      case 'begin':
        return this.#begin(decision.seen, decision.reason, signal);
      case 'block':
        return this.#block();
      case 'adopt':
        return this.#adopter.adopt(decision.operation, signal);
      default:
        return assertNever(decision);
    }
  }

  async #begin(automatic: SeenLapsed, reason: string, signal: AbortSignal): Promise<void> {
    const { etcd, keys, cluster, clock, logger } = this.#options.context;
    logger.warn({ reason }, 'beginning a failover');
    let begun: string | undefined;
    const failover = runFailover({
      etcd,
      keys,
      cluster,
      clock,
      signal,
      reason,
      automatic,
      actor: this.#actor,
      onProgress: (progress) => (begun = progress.operation),
    });
    // Once its fence stands only its end serves anybody: whatever stopped it, it is gone on with at the next look.
    failover.catch(() => (this.#stopped = begun));
    const { operation } = await failover;
    logger.info({ operation: operation.id }, 'the failover is done');
  }

  async #block(): Promise<void> {
    const { etcd, keys, cluster, clock, logger } = this.#options.context;
    const estate = this.#options.watch.current();
    const view = estate.clusters.get(cluster);
    if (view === undefined) return;
    const policy = failoverPolicyOf(estate.contract?.value);
    const blocked = await blockAutomatic({ etcd, keys, cluster, clock, actor: this.#actor, view, policy });
    if (blocked) logger.error({ cluster }, 'automatic failovers are blocked until somebody acknowledges it');
  }

  /** The same refusal is said once. */
  #say({ kind }: AutomaticDecision, error: unknown): void {
    const { logger } = this.#options.context;
    const reason = messageOf(error);
    const quiet = error instanceof CapstanError && STOOD_BACK.has(error.code);
    if (quiet || reason === this.#said) logger.debug({ reason }, `did not ${kind}`);
    else logger.warn({ reason }, `did not ${kind}`);
    this.#said = reason;
  }
}
