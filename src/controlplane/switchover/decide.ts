import { timestampOf } from '../../clock/clock.ts';
import { canonicalJson } from '../../domain/canonical-json.ts';
import { nextAuthority } from '../authority.ts';
import type { HeldOperation } from '../operation/journal.ts';
import { transition } from '../operation/run.ts';
import { revisionOf } from '../store.ts';
import { planOf, type SwitchoverRun } from './context.ts';
import { expectReports } from './drain.ts';
import { readDrained } from './drained.ts';
import { judgeHandover } from './handover.ts';

/**
 * The point of no return: the target leads the next term, with exactly what it reported. Judged anew, for a coordinator may
 * have been paused since; what isn't so any more goes back to the drain, which ends it.
 */
export async function decideStep(run: SwitchoverRun, held: HeldOperation): Promise<HeldOperation> {
  const { id, cluster } = held.value;
  const plan = planOf(held.value);
  const found = await readDrained(run, held);
  const again = (why: string) => transition(run, { held, event: 'differs', result: { why } });
  if (found.kind === 'given-back') return (await again('the authority was given back')) ?? held;
  const { view, authority } = found;
  const handover = judgeHandover(view, { operation: id, plan });
  if (handover.kind !== 'held')
    return (await again(handover.kind === 'differs' ? handover.why : handover.what)) ?? held;
  const unchanged =
    view.membership?.value.epoch === plan.epoch &&
    canonicalJson(view.inSync?.value ?? null) === canonicalJson(plan.inSync);
  if (!unchanged) return (await again('the membership or the in-sync set has changed')) ?? held;
  const { prefix } = handover;
  const moved = await transition(run, {
    held,
    event: 'completed',
    result: { leader: prefix.member, prefix },
    with: (transaction) => {
      expectReports(run, transaction, view);
      const event = { kind: 'hand-over', leader: prefix.member, prefix } as const;
      transaction
        .expect(run.keys.inSync(cluster), revisionOf(view.inSync))
        .expect(run.keys.membership(cluster), revisionOf(view.membership))
        .expect(run.keys.authority(cluster), authority.revision)
        .put(run.keys.authority(cluster), nextAuthority(authority.value, event, timestampOf(run.clock)));
    },
  });
  return moved ?? held;
}
