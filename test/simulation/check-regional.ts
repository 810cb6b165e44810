import type { FailoverPlan } from '../../src/controlplane/failover/plan-types.ts';
import type { ProgressRecord } from '../../src/domain/agent-reports.ts';
import type { LossRecord } from '../../src/domain/loss-records.ts';
import type { OperationRecord } from '../../src/domain/operation-records.ts';
import type { AuthorityRecord, DecidedPrefix, MembershipRecord } from '../../src/domain/records.ts';
import type { Write } from '../../src/etcd/port.ts';
import type { Check, CheckOptions } from './checks.ts';
import { canBeAcknowledged, rightOf } from './rights.ts';
import type { SimPostgres } from './sim-postgres.ts';
import { lsnNumber, type LogRecord } from './wal.ts';

interface Judged {
  readonly total: number | null;
  readonly allowed: number;
}

interface Decided {
  readonly at: number;
  readonly term: number;
}

/** A failover to another region: proved first, its loss bounded and recorded, its epoch committed with it (C11 to C13). */
export class RegionalCheck implements Check {
  readonly #options: CheckOptions;
  #authority: AuthorityRecord | undefined;
  #membership: MembershipRecord | undefined;
  /** Operation -> who led before it, once it is proved that this one confirms nothing any more. */
  readonly #proved = new Map<string, { readonly leader: string; readonly kind: string }>();
  readonly #decisions = new Map<string, Decided[]>();

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  committed(writes: readonly Write[]): void {
    const { keys, cluster } = this.#options;
    const put = (which: (key: string) => boolean): unknown => {
      const write = writes.find(({ kind, key }) => kind === 'put' && which(key));
      return write?.kind === 'put' ? JSON.parse(write.value) : undefined;
    };
    const authority = put((key) => key === keys.authority(cluster)) as AuthorityRecord | undefined;
    const membership = put((key) => key === keys.membership(cluster)) as MembershipRecord | undefined;
    const operation = put((key) => key.startsWith(keys.operations)) as OperationRecord | undefined;
    const plan = operation?.plan as unknown as FailoverPlan | undefined;
    const before = this.#authority;
    if (authority !== undefined && operation !== undefined && plan?.path === 'regional') {
      if (before?.phase === 'fenced' && authority.phase === 'fenced' && authority.freeze === 'all')
        this.#onProof(operation, plan);
      if (authority.phase === 'promoting' && authority.prefix !== null) {
        const loss = put((key) => key === keys.loss(cluster, operation.id)) as LossRecord | undefined;
        this.#onDecision(operation, { plan, prefix: authority.prefix, loss });
      }
      if (before?.phase === 'promoting' && authority.phase === 'open') this.#onOpen(authority, membership);
    }
    if (authority !== undefined) this.#authority = authority;
    if (membership !== undefined) this.#membership = membership;
  }

  appended(member: string, { change }: LogRecord): void {
    if (change.kind !== 'decide') return;
    const known = this.#decisions.get(member) ?? [];
    known.push({ at: this.#options.now(), term: change.term });
    this.#decisions.set(member, known);
  }

  acknowledged(member: string, token: string): void {
    const { operation } = this.#authority ?? {};
    const proved = this.#proved.get(operation ?? '');
    if (proved?.leader !== member || !this.#isDemanded(proved.kind)) return;
    if (this.#authority?.leader === member) return;
    // What a voter had flushed before it froze was judged with it: the word of that may still be on its way.
    if (proved.kind === 'frozen-voters' && this.#isFlushedBeside(member, token)) return;
    this.#options.report(
      'proof-ends-the-old-side',
      `${member} answers ${token} after ${proved.kind} proved that it can confirm nothing`,
    );
  }

  /** What a person attests is a person's word, and a wait counts on clocks within their limits. */
  #isDemanded(kind: string): boolean {
    return kind !== 'attested' && (kind !== 'lease-waited' || this.#options.clocksWithinLimits);
  }

  #onProof({ id, steps }: OperationRecord, { leader }: FailoverPlan): void {
    const kind = steps.find(({ name, result }) => name === 'proof' && result?.['holds'] === true)?.result?.[
      'kind'
    ];
    if (typeof kind !== 'string' || leader === null) {
      this.#options.report('proof-ends-the-old-side', `${id} lets all freeze without a proof`);
      return;
    }
    this.#proved.set(id, { leader, kind });
    const old = this.#memberNamed(leader);
    if (!this.#isDemanded(kind) || rightOf(old, 1_000) === undefined || !canBeAcknowledged(old)) return;
    this.#options.report(
      'proof-ends-the-old-side',
      `${kind} is taken for a proof, and ${leader} can confirm`,
    );
  }

  #onDecision(
    { id, steps }: OperationRecord,
    about: {
      readonly plan: FailoverPlan;
      readonly prefix: DecidedPrefix;
      readonly loss: LossRecord | undefined;
    },
  ): void {
    const { report, members } = this.#options;
    const { plan, prefix, loss } = about;
    if (!this.#proved.has(id)) report('proof-ends-the-old-side', `${id} decides without a proof`);
    if (loss?.status !== 'open' || JSON.stringify(loss.positions) !== JSON.stringify(prefix.positions)) {
      report('loss-is-recorded', `${id} decides for ${prefix.member}, and records no loss beyond its prefix`);
      return;
    }
    for (const postgres of members) {
      const beyond = decisionsBeyond(postgres, prefix);
      if (
        beyond.length > 0 &&
        postgres.member !== prefix.member &&
        loss.members[postgres.member] === undefined
      )
        report(
          'loss-is-recorded',
          `${postgres.member} holds ${beyond.length} lost decisions, unnamed by ${id}`,
        );
    }
    const judged = steps.findLast(({ name }) => name === 'decide')?.result?.['loss'] as Judged | undefined;
    if (plan.leader !== null && judged !== undefined)
      this.#demandBound(id, { leader: plan.leader, prefix, judged });
  }

  #demandBound(
    id: string,
    about: { readonly leader: string; readonly prefix: DecidedPrefix; readonly judged: Judged },
  ): void {
    const { etcd, keys, cluster, clocksWithinLimits, report } = this.#options;
    const { leader, prefix, judged } = about;
    if (judged.total === null) return;
    if (judged.total > judged.allowed)
      report('loss-is-bounded', `${id} decides on ${judged.total} lost, and ${judged.allowed} were allowed`);
    const kv = etcd.get(keys.progress(cluster, leader));
    const peak = kv === undefined ? null : (JSON.parse(kv.value) as ProgressRecord).peak;
    const busiest = busiestSecond(this.#decisions.get(leader) ?? []);
    // The bound rests on no second being busier than those that were published.
    if (!clocksWithinLimits || peak === null || busiest > peak.decisionsPerSecond) return;
    this.#options.counts.lossesBounded += 1;
    const lost = decisionsBeyond(this.#memberNamed(leader), prefix).length;
    if (lost > judged.total)
      report('loss-is-bounded', `${id} loses ${lost} decisions, and bounded them by ${judged.total}`);
  }

  #onOpen({ leader }: AuthorityRecord, membership: MembershipRecord | undefined): void {
    const before = this.#membership;
    const region = membership?.members[leader ?? '']?.region;
    const fits = Object.values(membership?.members ?? {}).every(
      (place) => place.role === 'learner' || (place.role === 'voter') === (place.region === region),
    );
    if (membership?.epoch === (before?.epoch ?? 0) + 1 && fits) return;
    this.#options.report(
      'epoch-before-votes',
      `${leader} opens without the epoch that its region votes under`,
    );
  }

  #isFlushedBeside(leader: string, token: string): boolean {
    return this.#options.members.some(
      ({ member, disk }) =>
        member !== leader &&
        disk.wal
          .slice(0, disk.flushed)
          .some(({ change }) => change.kind === 'decide' && change.token === token),
    );
  }

  #memberNamed(name: string): SimPostgres {
    const found = this.#options.members.find(({ member }) => member === name);
    if (found === undefined) throw new Error(`there is no member ${name}`);
    return found;
  }
}

/** In this member's flushed log, and not in the decided one. */
function decisionsBeyond({ disk }: SimPostgres, prefix: DecidedPrefix): readonly LogRecord[] {
  const end = lsnNumber(prefix.lsn);
  return disk.wal.slice(0, disk.flushed).filter(({ lsn, timeline, change }) => {
    const beyond = timeline === prefix.timeline ? lsn > end : timeline > prefix.timeline;
    return beyond && change.kind === 'decide';
  });
}

function busiestSecond(decisions: readonly Decided[]): number {
  let first = 0;
  let most = 0;
  for (const [index, { at }] of decisions.entries()) {
    while (at - (decisions[first]?.at ?? at) > 1_000) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
