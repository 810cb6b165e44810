import type { Contract } from '../../domain/contract.ts';
import type { MemberState } from '../../domain/records.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { interrupted, report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { isFresh } from './candidates.ts';
import { type FailoverRun, readOwnCluster, termOf } from './context.ts';
import { planOf } from './plan-types.ts';
import { type FrozenVoters, frozenVoters } from './proof.ts';

/** What a follower's agent is doing when a freeze report can still come from it. */
const FREEZABLE: ReadonlySet<MemberState> = new Set(['starting', 'following', 'frozen']);

/** The frozen voters of this operation's round, as a view shows them. */
export function proofOf(held: HeldOperation, view: ClusterView): FrozenVoters | undefined {
  const inSync = view.inSync?.value;
  if (inSync === undefined) return undefined;
  return frozenVoters({
    operation: held.value.id,
    term: termOf(held.value),
    inSync,
    membership: view.membership?.value,
    reports: [...view.frozen.values()].map(({ value }) => value),
  });
}

/** Followers that answer and have not reported yet; those that can't report are not waited for. */
export function pendingFollowers(about: {
  readonly held: HeldOperation;
  readonly view: ClusterView;
  readonly contract: Contract;
  readonly nowMs: number;
}): { readonly voters: readonly string[]; readonly others: readonly string[] } {
  const { held, view, contract, nowMs } = about;
  const leader = planOf(held.value).leader;
  const pending = Object.keys(view.membership?.value.members ?? {}).filter((member) => {
    if (member === leader) return false;
    const heartbeat = view.heartbeats.get(member)?.value;
    if (heartbeat === undefined || !isFresh(heartbeat, { view, contract, nowMs })) return false;
    if (!heartbeat.postgresUp || !FREEZABLE.has(heartbeat.state)) return false;
    const frozen = view.frozen.get(member)?.value;
    return frozen?.term !== termOf(held.value) || frozen.operation !== held.value.id;
  });
  const isVoter = (member: string) =>
    view.inSync?.value.voters.some((voter) => voter.member === member) === true;
  return { voters: pending.filter(isVoter), others: pending.filter((member) => !isVoter(member)) };
}

/** For when those that would have to freeze never will: their hosts or their data are gone. */
export function insteadOfFreezing({ value }: HeldOperation): string {
  const { leader } = planOf(value);
  return `capstan operation abort ${value.id}, which gives the cluster back to ${leader ?? 'nobody'}`;
}

/**
 * Waits until every follower that answers is frozen. A voter is waited for up to the contract's freeze deadline; the
 * others, which can't change an in-region decision, for two heartbeats only: an unreachable region blocks nothing.
 */
export async function freezeStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { contract } = run;
  const { cluster } = held.value;
  const othersMs = Math.min(contract.deadlines.freezeMs, 2 * contract.liveness.heartbeatEveryMs);
  let latest: FrozenVoters | undefined;
  const look = async (elapsedMs: number): Promise<FrozenVoters | undefined> => {
    const { view } = await readOwnCluster(run, held, 'fenced');
    latest = proofOf(held, view);
    const pending = pendingFollowers({ held, view, contract, nowMs: run.clock.wallMs() });
    const waitingFor = elapsedMs < othersMs ? [...pending.voters, ...pending.others] : pending.voters;
    if (latest?.holds === true && waitingFor.length === 0) return latest;
    const missing = latest?.missing.map(({ member, why }) => `${member} ${why}`) ?? [];
    const detail = waitingFor.length > 0 ? `waiting for ${waitingFor.join(', ')}` : missing.join('; ');
    report(run, held.value, { state: 'waiting', detail });
    return undefined;
  };
  const waited = await waitFor({
    check: look,
    timeoutMs: contract.deadlines.freezeMs,
    signal: run.signal,
    clock: run.clock,
    pause: run.pause,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  const proof = waited.kind === 'found' ? waited.value : latest;
  if (proof?.holds !== true) {
    const missing = proof?.missing.map(({ member, why }) => `${member} ${why}`) ?? [
      'etcd holds no in-sync record',
    ];
    throw stalled({
      record: held.value,
      code: 'freeze_incomplete',
      message: `cluster ${cluster}: ${proof?.frozen.length ?? 0} of ${proof?.needed ?? 1} recorded voters are frozen after ${contract.deadlines.freezeMs} ms: ${missing.join('; ')}`,
      lastError: waited.kind === 'timed-out' ? waited.lastError : undefined,
      or: insteadOfFreezing(held),
    });
  }
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { frozen: proof.frozen.map(({ member }) => member), notCounted: proof.missing },
  });
  return moved ?? held;
}
