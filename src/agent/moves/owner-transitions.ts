import { timestampOf } from '../../clock/clock.ts';
import type { EstateView } from '../../controlplane/estate-watch.ts';
import { accepts, nextMove } from '../../controlplane/rebalance/transitions.ts';
import { backOutIn } from '../../controlplane/rebalance/unseal.ts';
import { Transaction, type Versioned } from '../../controlplane/store.ts';
import type { MoveRecord } from '../../domain/move-records.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { MemberContext } from '../context.ts';
import { termChange, termsNow } from './leg-loss.ts';

/** Beyond the pause budget: the coordinator backs out first, if it lives. */
const GRACE_MS = 2_000;

export interface OwnerSight {
  readonly estate: EstateView;
  readonly authority: Versioned<AuthorityRecord>;
  readonly held: Versioned<MoveRecord>;
  /** Why the leg can't be gone on with, as this Postgres shows it. */
  readonly broken?: string;
}

/**
 * The two transitions that the owner's leader makes by itself, so that no seal and no dead leg outlives everybody else: `lost`
 * at once, `back-out` when the seal's time is over since this agent first saw it, or when its leg is lost.
 */
export class OwnerTransitions {
  readonly #context: MemberContext;
  #seal: { readonly id: string; readonly seenAtMs: number } | undefined;

  constructor(context: MemberContext) {
    this.#context = context;
  }

  /** Whether one was written. */
  async step(sight: OwnerSight): Promise<boolean> {
    const { held, estate, broken } = sight;
    const now = termsNow(estate, held.value);
    const changed = now === undefined ? undefined : termChange(held.value, now);
    const reason = changed ?? broken;
    if (held.value.phase === 'seal') return this.#seen(sight, reason);
    this.#seal = undefined;
    if (reason === undefined || now === undefined || !accepts(held.value, 'lost')) return false;
    return this.#lose(sight, reason, now);
  }

  async #seen(sight: OwnerSight, reason: string | undefined): Promise<boolean> {
    const { seal } = sight.held.value;
    const nowMs = this.#context.clock.monotonicMs();
    if (seal === null) return false;
    if (this.#seal?.id !== seal.id) this.#seal = { id: seal.id, seenAtMs: nowMs };
    const waitMs = seal.budgetMs + GRACE_MS;
    if (reason !== undefined) return this.#backOut(sight, { code: 'leg_lost', message: reason });
    if (nowMs - this.#seal.seenAtMs < waitMs) return false;
    return this.#backOut(sight, {
      code: 'seal_deadline',
      message: `nobody flipped it within ${waitMs} ms`,
    });
  }

  async #backOut(sight: OwnerSight, error: { code: string; message: string }): Promise<boolean> {
    const { keys, clock, member } = this.#context;
    const { estate, held } = sight;
    const { map, shards } = estate;
    if (map === undefined) return false;
    return this.#commit(sight, error.message, (transaction) =>
      backOutIn(transaction, {
        keys,
        clock,
        held,
        sight: { map, shards },
        actor: `agent:${member}`,
        error,
      }),
    );
  }

  async #lose(sight: OwnerSight, reason: string, terms: Readonly<Record<string, number>>): Promise<boolean> {
    const { keys, clock } = this.#context;
    const { held } = sight;
    const { operation, stream } = held.value;
    return this.#commit(sight, reason, (transaction) => {
      const next = nextMove(held.value, 'lost', timestampOf(clock), {
        terms,
        error: { code: 'leg_lost', message: reason },
      });
      const key = keys.move(operation, stream);
      transaction.expect(key, held.revision).put(key, next);
      return next;
    });
  }

  async #commit(
    { held, authority }: OwnerSight,
    reason: string,
    add: (transaction: Transaction) => MoveRecord,
  ): Promise<boolean> {
    const { etcd, keys, cluster, contract, logger } = this.#context;
    const transaction = new Transaction(etcd).expect(keys.authority(cluster), authority.revision);
    const next = add(transaction);
    const written = await transaction.commit({ timeoutMs: contract.deadlines.etcdMs });
    const { operation, stream, phase } = held.value;
    if (written)
      logger.warn(
        { operation, stream, from: phase, to: next.phase, attempt: next.attempt, reason },
        'a move was set back',
      );
    return written;
  }
}
