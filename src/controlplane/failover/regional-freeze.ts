import { parseLsn } from '../../domain/lsn.ts';
import type { FreezeReport } from '../../domain/agent-reports.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { interrupted, report, stalled, transition } from '../operation/run.ts';
import { waitFor } from '../operation/wait.ts';
import { whyApart } from './apart.ts';
import { type FailoverRun, readOwnCluster, termOf } from './context.ts';
import { insteadOfFreezing, pendingFollowers } from './freeze.ts';
import { planOf } from './plan-types.ts';

export interface FrozenCandidates {
  readonly frozen: readonly FreezeReport[];
  /** Why a member of the region doesn't count, or doesn't yet. */
  readonly missing: readonly { readonly member: string; readonly why: string }[];
}

/** Who of the target region may be decided for: frozen by this operation, as the data that is registered, and no learner. */
export function frozenCandidates(held: HeldOperation, view: ClusterView): FrozenCandidates {
  const frozen: FreezeReport[] = [];
  const missing: { member: string; why: string }[] = [];
  for (const member of candidatesOf(held, view)) {
    const found = view.frozen.get(member)?.value;
    const why = whyNotCounted(held, { view, member, found });
    if (why !== undefined) missing.push({ member, why });
    else if (found !== undefined) frozen.push(found);
  }
  return { frozen, missing };
}

const candidatesOf = (held: HeldOperation, view: ClusterView): readonly string[] => {
  const { region, leader } = planOf(held.value);
  return Object.entries(view.membership?.value.members ?? {})
    .filter(([member, place]) => place.region === region && place.role !== 'learner' && member !== leader)
    .map(([member]) => member);
};

function whyNotCounted(
  held: HeldOperation,
  about: { readonly view: ClusterView; readonly member: string; readonly found: FreezeReport | undefined },
): string | undefined {
  const { view, member, found } = about;
  const registered = view.members.get(member)?.value.incarnation;
  if (registered === undefined) return 'is not registered';
  if (found === undefined || found.term < termOf(held.value)) return 'has not reported that it is frozen';
  if (found.term !== termOf(held.value) || found.operation !== held.value.id)
    return `is frozen for another operation (${found.operation}, term ${found.term})`;
  if (found.incarnation !== registered)
    return `is frozen as incarnation ${found.incarnation}, and is registered as ${registered}`;
  return parseLsn(found.replayedLsn) === undefined
    ? `reports ${JSON.stringify(found.replayedLsn)}, which is no LSN`
    : whyApart(view, { ...found, lsn: found.replayedLsn });
}

/**
 * Waits until every candidate of the region that answers is frozen, one at least. The others can't change the decision: they
 * get two heartbeats, so that one that holds no more than the prefix need not be salvaged.
 */
export async function regionalFreezeStep(run: FailoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { contract } = run;
  const othersMs = Math.min(contract.deadlines.freezeMs, 2 * contract.liveness.heartbeatEveryMs);
  let latest: FrozenCandidates | undefined;
  const look = async (elapsedMs: number): Promise<FrozenCandidates | undefined> => {
    const { view } = await readOwnCluster(run, held, 'fenced');
    latest = frozenCandidates(held, view);
    const candidates = new Set(candidatesOf(held, view));
    const { voters, others } = pendingFollowers({ held, view, contract, nowMs: run.clock.wallMs() });
    const waitingFor = [...voters, ...others].filter(
      (member) => candidates.has(member) || elapsedMs < othersMs,
    );
    if (latest.frozen.length > 0 && waitingFor.length === 0) return latest;
    const detail = waitingFor.length > 0 ? `waiting for ${waitingFor.join(', ')}` : inWords(latest);
    report(run, held.value, { state: 'waiting', detail });
    return undefined;
  };
  const waited = await waitFor({
    check: look,
    timeoutMs: contract.deadlines.freezeMs,
    signal: run.signal,
    clock: run.clock,
  });
  if (waited.kind === 'interrupted') throw interrupted(run, held.value);
  const found = waited.kind === 'found' ? waited.value : latest;
  if (found === undefined || found.frozen.length === 0) {
    throw stalled({
      record: held.value,
      code: 'freeze_incomplete',
      message: `cluster ${held.value.cluster}: no candidate of ${planOf(held.value).region} is frozen after ${contract.deadlines.freezeMs} ms: ${found === undefined ? 'etcd was not reached' : inWords(found)}`,
      lastError: waited.kind === 'timed-out' ? waited.lastError : undefined,
      or: insteadOfFreezing(held),
    });
  }
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { frozen: found.frozen.map(({ member }) => member), notCounted: found.missing },
  });
  return moved ?? held;
}

const inWords = ({ missing }: FrozenCandidates): string =>
  missing.map(({ member, why }) => `${member} ${why}`).join('; ');
