import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { AuthorityRecord } from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { Check, CheckOptions } from './checks.ts';
import { lsnNumber } from './wal.ts';

/** A planned change of leader: nothing is lost, and of handing over and giving back exactly one happens (C14, C15). */
export class SwitchoverCheck implements Check {
  readonly #options: CheckOptions;
  #authority: AuthorityRecord | undefined;
  readonly #ends = new Map<string, 'decided' | 'given back'>();

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  committed(writes: readonly Write[]): void {
    const { keys, cluster } = this.#options;
    for (const write of writes) {
      if (write.kind !== 'put') continue;
      if (write.key === keys.authority(cluster))
        this.#onAuthority(JSON.parse(write.value) as AuthorityRecord);
      else if (write.key.startsWith(keys.operations))
        this.#onOperation(JSON.parse(write.value) as OperationRecord);
    }
  }

  #onAuthority(next: AuthorityRecord): void {
    const before = this.#authority;
    this.#authority = next;
    const { report } = this.#options;
    if (before?.phase !== 'draining' || before.operation === null) {
      if (before?.phase === 'open' && next.phase === 'promoting')
        report(
          'one-ending',
          `${next.leader} was decided for while ${before.leader} led, and nothing drained`,
        );
      return;
    }
    if (next.phase === 'draining') return;
    this.#end(before.operation, next.phase === 'promoting' ? 'decided' : 'given back');
    if (next.phase === 'promoting') this.#onHandedOver(before, next);
  }

  /** The old leader has ended, and what it holds is what was decided: nothing less, nothing more. */
  #onHandedOver({ leader }: AuthorityRecord, { prefix }: AuthorityRecord): void {
    const { members, report } = this.#options;
    const former = members.find(({ member }) => member === leader);
    const target = members.find(({ member }) => member === prefix?.member);
    if (former === undefined || target === undefined || prefix === null) return;
    if (former.server !== undefined)
      report('switchover-loses-nothing', `${leader} still runs as ${target.member} is decided for`);
    const kept = target.disk.wal
      .slice(0, target.disk.flushed)
      .filter(({ lsn }) => lsn <= lsnNumber(prefix.lsn));
    const had = former.disk.wal.slice(0, former.disk.flushed);
    const differs = had.findIndex((record, index) => kept[index] !== record);
    if (differs !== -1 || had.length !== kept.length)
      report(
        'switchover-loses-nothing',
        `${leader} ended with ${had.length} records, decided are ${kept.length} of ${target.member}`,
      );
  }

  #onOperation({ id, kind, status, phase }: OperationRecord): void {
    if (kind !== 'switchover') return;
    if (status === 'aborted' && this.#ends.get(id) === 'decided')
      this.#options.report('one-ending', `${id} was decided, and is aborted`);
    if (status === 'done' && this.#ends.get(id) !== 'decided')
      this.#options.report('one-ending', `${id} is done, and nobody decided (${phase})`);
  }

  #end(operation: string, how: 'decided' | 'given back'): void {
    const before = this.#ends.get(operation);
    if (before !== undefined && before !== how)
      this.#options.report('one-ending', `${operation} was ${before}, and is ${how}`);
    this.#ends.set(operation, how);
  }
}
