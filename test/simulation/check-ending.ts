import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { AuthorityRecord } from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { Check, CheckOptions } from './checks.ts';

/** Of deciding and giving back exactly one happens, and the operation's end says which (C15). */
export class EndingCheck implements Check {
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
    }
    for (const write of writes)
      if (write.kind === 'put' && write.key.startsWith(keys.operations))
        this.#onOperation(JSON.parse(write.value) as OperationRecord);
  }

  #onAuthority(next: AuthorityRecord): void {
    const before = this.#authority;
    this.#authority = next;
    if (before === undefined || next.phase === before.phase) return;
    const undecided = before.phase === 'fenced' || before.phase === 'draining';
    if (undecided && before.operation !== null && (next.phase === 'promoting' || next.phase === 'open'))
      this.#end(before.operation, next.phase === 'promoting' ? 'decided' : 'given back');
    if (!undecided && next.phase === 'promoting')
      this.#options.report('one-ending', `${next.leader} is decided for out of phase ${before.phase}`);
  }

  #onOperation({ id, kind, status, phase }: OperationRecord): void {
    if (kind !== 'switchover' && kind !== 'failover') return;
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
