import type { MembershipPlan } from '../../src/controlplane/membership/plan-types.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { AuthorityRecord, InSyncRecord, MembershipRecord } from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { Check, CheckOptions } from './checks.ts';

/** Whoever votes is a voter of the membership first, and is counted on no more before it is out of it. */
export class MembershipCheck implements Check {
  readonly #options: CheckOptions;
  #authority: AuthorityRecord | undefined;
  #membership: MembershipRecord | undefined;
  #inSync: InSyncRecord | undefined;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  committed(writes: readonly Write[]): void {
    const { keys, cluster } = this.#options;
    const put = (which: (key: string) => boolean): unknown => {
      const write = writes.find(({ kind, key }) => kind === 'put' && which(key));
      return write?.kind === 'put' ? JSON.parse(write.value) : undefined;
    };
    this.#authority =
      (put((key) => key === keys.authority(cluster)) as AuthorityRecord | undefined) ?? this.#authority;
    const membership = put((key) => key === keys.membership(cluster)) as MembershipRecord | undefined;
    const inSync = put((key) => key === keys.inSync(cluster)) as InSyncRecord | undefined;
    if (membership !== undefined) this.#onMembership(membership);
    if (inSync !== undefined) this.#onInSync(inSync);
    const operation = put((key) => key.startsWith(keys.operations)) as OperationRecord | undefined;
    if (operation?.kind === 'membership' && operation.status === 'done') this.#onEnd(operation);
  }

  #onMembership(next: MembershipRecord): void {
    const before = this.#membership;
    this.#membership = next;
    if (before === undefined) return;
    if (next.epoch !== before.epoch + 1)
      this.#report(`the membership changes from epoch ${before.epoch} to ${next.epoch}`);
    const leader = this.#authority?.leader ?? null;
    if (leader !== null && next.members[leader]?.role !== 'voter')
      this.#report(`${leader} leads, and is no voter of epoch ${next.epoch}`);
    for (const member of new Set([...Object.keys(before.members), ...Object.keys(next.members)])) {
      const [was, is] = [before.members[member]?.role, next.members[member]?.role];
      if (was === undefined && is !== 'learner') this.#report(`${member} comes in as a ${is}`);
      if (is !== undefined || was === undefined) continue;
      if (was !== 'learner') this.#report(`${member} goes out as a ${was}`);
      if (this.#inSync?.voters.some((voter) => voter.member === member) === true)
        this.#report(`${member} goes out while decisions wait for it`);
    }
  }

  #onInSync(next: InSyncRecord): void {
    const before = new Set(this.#inSync?.voters.map(nameOf));
    const seeded = this.#inSync === undefined;
    this.#inSync = next;
    for (const voter of next.voters) {
      const role = this.#membership?.members[voter.member]?.role;
      if (seeded || before.has(nameOf(voter)) || role === 'voter') continue;
      this.#report(`${voter.member} is counted on as a ${role ?? 'stranger'}`);
    }
  }

  /** What an operation says at its end is so at that moment. */
  #onEnd({ id, plan }: OperationRecord): void {
    const { action, member } = plan as unknown as MembershipPlan;
    const role = this.#membership?.members[member]?.role;
    if ((action === 'remove') !== (role === undefined))
      this.#report(`${id} has ended, and ${member} is ${role ?? 'out'}`);
    if (action === 'remove' || role !== 'voter' || this.#authority?.leader === member) return;
    if (this.#inSync?.voters.some((voter) => voter.member === member) !== true)
      this.#report(`${id} has ended, and no decision waits for ${member}`);
  }

  #report(message: string): void {
    this.#options.report('epoch-before-votes', message);
  }
}

const nameOf = ({ member, incarnation }: { readonly member: string; readonly incarnation: string }) =>
  `${member}_${incarnation}`;
