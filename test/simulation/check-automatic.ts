import { lapseAfterMs } from '../../src/domain/failover-policy.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { Check, CheckOptions } from './checks.ts';

/** A clock that keeps its limits runs at most this much too fast. */
const RATE_MOST = 1.02;
const NEEDS_A_PERSON: ReadonlySet<string> = new Set([
  'target_behind',
  'target_not_frozen',
  'in_sync_changed',
  'loss_exceeds_plan',
]);

/** What agents may begin and adopt by themselves (src/controlplane/SPEC.md, C6 to C9). */
export class AutomaticCheck implements Check {
  readonly #options: CheckOptions;
  readonly #operations = new Map<string, OperationRecord>();
  #paused = false;
  #blocked = false;
  /** Since a person last acknowledged. */
  #begun = 0;
  /** When the lease record, or the authority under which it stands, was last written. */
  #heardAt = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  committed(writes: readonly Write[]): void {
    const { keys } = this.#options;
    for (const write of writes) {
      if (write.kind !== 'put' || !write.key.startsWith(keys.operations)) continue;
      const next = JSON.parse(write.value) as OperationRecord;
      const before = this.#operations.get(next.id);
      this.#operations.set(next.id, next);
      if (before === undefined) this.#onBegun(next);
      else if (before.coordinator.id !== next.coordinator.id) this.#onTakenOver(before, next);
    }
    for (const write of writes) this.#note(write);
  }

  #note({ kind, key, ...rest }: Write): void {
    const { keys, cluster, now } = this.#options;
    if (key === keys.automaticPause(cluster)) this.#paused = kind === 'put';
    if (key === keys.automaticBlock(cluster)) {
      this.#blocked = kind === 'put';
      if (kind === 'delete') this.#begun = 0;
    }
    const heard = key === keys.authority(cluster) || key === keys.lease(cluster);
    if (heard && 'value' in rest) this.#heardAt = now();
  }

  #onBegun({ id, kind, actor, reason }: OperationRecord): void {
    if (kind !== 'failover' || !actor.startsWith('agent:')) return;
    const { report, contract, clocksWithinLimits, now } = this.#options;
    if (this.#paused || this.#blocked)
      report('automatic-heeds-people', `${actor} began ${id} while ${this.#paused ? 'paused' : 'blocked'}`);
    this.#begun += 1;
    const most = contract.failover?.flap.max ?? 0;
    if (this.#begun > most)
      report('automatic-is-counted', `${id} is automatic failover ${this.#begun} of at most ${most}`);
    const dead = reason.startsWith('the Postgres of');
    const neededMs = dead ? (contract.failover?.deadAfterMs ?? Infinity) : lapseAfterMs(contract);
    const silentMs = now() - this.#heardAt;
    if (clocksWithinLimits && silentMs < neededMs / RATE_MOST)
      report(
        'automatic-waits-for-a-lapse',
        `${actor} began ${id} when lease and authority had stood still for ${silentMs.toFixed(0)} ms of ${neededMs}`,
      );
  }

  #onTakenOver(before: OperationRecord, { id, coordinator }: OperationRecord): void {
    if (!coordinator.id.startsWith('agent-')) return;
    const finished = before.status === 'done' || before.status === 'aborted';
    if (finished || (before.status === 'running' && NEEDS_A_PERSON.has(before.error?.code ?? '')))
      this.#options.report(
        'adopts-what-needs-nobody',
        `${coordinator.id} adopted ${id}, which is ${before.status} (${before.error?.code ?? 'no error'})`,
      );
  }
}
