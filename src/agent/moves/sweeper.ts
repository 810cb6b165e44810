import { type EstateSnapshot, readEstateSnapshot } from '../../controlplane/estate-snapshot.ts';
import type { EstateView } from '../../controlplane/estate-watch.ts';
import { whyObjectStays } from '../../controlplane/rebalance/orphans.ts';
import { ABSENT, Transaction, type Versioned } from '../../controlplane/store.ts';
import { messageOf } from '../../domain/errors.ts';
import type { AuthorityRecord } from '../../domain/records.ts';
import type { MemberContext } from '../context.ts';
import type { Session } from '../local-session.ts';
import { dropSlot } from './carry-out-step.ts';
import { copierOf, type MoveFacts, readMoveFacts } from './move-facts.ts';
import { dropObject, OBJECT_KINDS, objectsIn } from './orphan-objects.ts';

/**
 * Drops what bears the name of a move that etcd doesn't know: inherited by a promotion, or left by an operation that died. Slots
 * of table copies go once no stream copies from here to the cluster that they belong to. What looks like it is judged by etcd
 * itself once more: a stream may have begun since the watch was looked at.
 */
export async function sweep(context: MemberContext, admin: Session, estate: EstateView): Promise<void> {
  const { etcd, keys, contract } = context;
  const facts = await readMoveFacts(admin);
  if (orphansIn(context, admin, { facts, estate }).length === 0) return;
  const now: EstateSnapshot = await readEstateSnapshot(etcd, keys, {
    timeoutMs: contract.deadlines.etcdMs,
  });
  for (const { name, drop } of orphansIn(context, admin, { facts, estate: now })) {
    try {
      await drop();
      context.logger.info({ name }, 'an orphan of a move was dropped');
    } catch (error) {
      context.logger.warn({ name, reason: messageOf(error) }, 'an orphan of a move could not be dropped');
    }
  }
}

interface Orphan {
  readonly name: string;
  readonly drop: () => Promise<void>;
}

function orphansIn(
  { cluster }: MemberContext,
  admin: Session,
  { facts, estate }: { readonly facts: MoveFacts; readonly estate: EstateView },
): readonly Orphan[] {
  const objects = OBJECT_KINDS.flatMap((kind) =>
    objectsIn(facts, kind)
      .filter((name) => whyObjectStays(name, estate, cluster) === undefined)
      .map((name): Orphan => ({ name, drop: () => dropObject(admin, kind, name) })),
  );
  const copySlots = idleCopySlots(facts, estate, cluster).map((name): Orphan => ({
    name,
    drop: () => dropSlot(admin, name),
  }));
  return [...objects, ...copySlots];
}

/** This cluster's reports of streams that are gone go too. Each compares that its stream is absent. */
export async function sweepReports(
  { etcd, keys, cluster, contract, logger }: MemberContext,
  { estate, authority }: { readonly estate: EstateView; readonly authority: Versioned<AuthorityRecord> },
): Promise<void> {
  for (const [key, { value, revision }] of estate.moveReports) {
    const { operation, stream } = value;
    const move = keys.move(operation, stream);
    if (key !== keys.moveReport(operation, stream, cluster) || estate.moves.has(move)) continue;
    const gone = await new Transaction(etcd)
      .expect(keys.authority(cluster), authority.revision)
      .expect(move, ABSENT)
      .expect(key, revision)
      .delete(key)
      .commit({ timeoutMs: contract.deadlines.etcdMs, repeatable: true });
    if (gone) logger.info({ operation, stream }, 'the report of a stream that is gone was removed');
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
