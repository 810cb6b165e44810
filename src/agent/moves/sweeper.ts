import type { EstateView } from '../../controlplane/estate-watch.ts';
import { messageOf } from '../../domain/errors.ts';
import { streamPrefix } from '../../domain/move-records.ts';
import type { MemberContext } from '../context.ts';
import type { Session } from '../local-session.ts';
import { detachSubscription, dropSlot } from './carry-out-step.ts';
import { copierOf, type MoveFacts, pickFacts, readMoveFacts } from './move-facts.ts';
import { dropPublication } from './statements.ts';

/**
 * Drops what bears the name of a move that etcd doesn't know: inherited by a promotion, or left by an operation that died. Slots
 * of table copies go once no stream copies from here to the cluster that they belong to.
 */
export async function sweep(context: MemberContext, admin: Session, estate: EstateView): Promise<void> {
  const { cluster, logger } = context;
  const facts = await readMoveFacts(admin);
  const known = [...estate.moves.values()]
    .filter(({ value }) => value.from === cluster || value.to === cluster)
    .map(({ value }) => streamPrefix(value));
  const strange = pickFacts(facts, (name) => !known.some((prefix) => name.startsWith(prefix)));
  const tasks: readonly (readonly [name: string, drop: () => Promise<unknown>])[] = [
    ...strange.subscriptions.map(({ name }) => [name, () => detachSubscription(admin, name)] as const),
    ...[...strange.slots.map(({ name }) => name), ...idleCopySlots(facts, estate, cluster)].map(
      (name) => [name, () => dropSlot(admin, name)] as const,
    ),
    ...strange.publications.map((name) => [name, () => admin.query(dropPublication(name))] as const),
  ];
  for (const [name, drop] of tasks) {
    try {
      await drop();
      logger.info({ name }, 'an orphan of a move was dropped');
    } catch (error) {
      logger.warn({ name, reason: messageOf(error) }, 'an orphan of a move could not be dropped');
    }
  }
}

/** Pure. One whose cluster isn't known may be somebody else's. */
export function idleCopySlots(facts: MoveFacts, estate: EstateView, cluster: string): readonly string[] {
  const systems = new Map(
    [...estate.clusters.values()].flatMap(({ name, members }) =>
      [...members.values()].map(({ value }) => [value.systemIdentifier, name] as const),
    ),
  );
  const copying = new Set(
    [...estate.moves.values()]
      .filter(({ value }) => value.phase === 'copy' && value.owner === cluster)
      .flatMap(({ value }) => [value.from, value.to]),
  );
  return facts.copySlots
    .map(({ name }) => name)
    .filter((name) => {
      const copier = systems.get(copierOf(name) ?? '');
      return copier !== undefined && copier !== cluster && !copying.has(copier);
    });
}
