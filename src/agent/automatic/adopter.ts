import { judgeAdoption } from '../../controlplane/automatic/adoption.ts';
import type { EstateWatch } from '../../controlplane/estate-watch.ts';
import { adoptOperation } from '../../controlplane/operation/control.ts';
import { readOperation } from '../../controlplane/operation/journal.ts';
import { failoverPolicyOf } from '../../domain/failover-policy.ts';
import type { MemberContext } from '../context.ts';

/** An operation that stops short each time is tried at least this often. */
const BACKOFF_MAX_MS = 60_000;

export interface AdopterOptions extends Pick<
  MemberContext,
  'cluster' | 'etcd' | 'keys' | 'logger' | 'clock'
> {
  readonly actor: string;
  readonly watch: EstateWatch;
}

interface Attempts {
  readonly operation: string;
  readonly count: number;
  readonly notBeforeMs: number;
}

/** Carries on an operation that nobody drives, unless only a person can. */
export class Adopter {
  readonly #options: AdopterOptions;
  #attempts: Attempts | undefined;

  constructor(options: AdopterOptions) {
    this.#options = options;
  }

  /** Throws what `resumeFailover` throws; one that was adopted by another agent meanwhile is `operation_superseded`. */
  async adopt(id: string, signal: AbortSignal): Promise<void> {
    const { etcd, keys, cluster, logger, clock, actor, watch } = this.#options;
    const before = this.#attempts?.operation === id ? this.#attempts : undefined;
    if (before !== undefined && clock.monotonicMs() < before.notBeforeMs) return;
    const found = await readOperation({ etcd, keys, id });
    const promotion = watch.current().clusters.get(cluster)?.promotion;
    const verdict = judgeAdoption(found, promotion?.revision);
    const count = (before?.count ?? 0) + 1;
    if (verdict.kind !== 'adoptable') {
      this.#next(id, before?.count ?? 0);
      if (verdict.kind === 'left' && before === undefined)
        logger.warn(
          { operation: id, why: verdict.why, next: `capstan operation resume ${id}` },
          'not adopted',
        );
      return;
    }
    logger.warn({ operation: id, phase: found.value.phase }, 'adopting an operation that nobody drives');
    try {
      await adoptOperation({ etcd, keys, id, actor, signal, clock, onlyAt: found.revision });
      logger.info({ operation: id }, 'the adopted operation is done');
    } finally {
      this.#next(id, count);
    }
  }

  #next(operation: string, count: number): void {
    const { watch, clock } = this.#options;
    const { adoptAfterMs } = failoverPolicyOf(watch.current().contract?.value);
    const waitMs = Math.max(adoptAfterMs, Math.min(BACKOFF_MAX_MS, adoptAfterMs * 2 ** count));
    this.#attempts = { operation, count, notBeforeMs: clock.monotonicMs() + waitMs };
  }
}
