import type { AuthorityRecord } from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { Check, CheckOptions } from './checks.ts';
import { lsnNumber } from './wal.ts';

/** A planned change of leader loses nothing (C14). */
export class SwitchoverCheck implements Check {
  readonly #options: CheckOptions;
  #authority: AuthorityRecord | undefined;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  committed(writes: readonly Write[]): void {
    const { keys, cluster } = this.#options;
    for (const { key, ...write } of writes)
      if (key === keys.authority(cluster) && 'value' in write)
        this.#onAuthority(JSON.parse(write.value) as AuthorityRecord);
  }

  #onAuthority(next: AuthorityRecord): void {
    const before = this.#authority;
    this.#authority = next;
    if (before?.phase === 'draining' && next.phase === 'promoting') this.#onHandedOver(before, next);
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
}
