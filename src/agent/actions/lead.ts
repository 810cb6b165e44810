import { timestampOf } from '../../clock/clock.ts';
import { recordInSync } from '../../controlplane/leader-records.ts';
import { revisionOf } from '../../controlplane/store.ts';
import type { SyncBook } from '../sync-book.ts';
import type { Work } from '../work.ts';

/** One round of leading: the in-sync set is brought to agree, then the lease keeper may work with it. */
export async function lead(work: Work, book: SyncBook): Promise<void> {
  const { context, keeper, view, authority, serverRun, signal } = work;
  const { etcd, keys, cluster, member, clock } = context;
  const { membership } = view;
  if (membership === undefined) return;
  const registered = Object.fromEntries(
    [...view.members].map(([name, { value }]) => [name, value.incarnation] as const),
  );
  const standing = await book.tick({
    input: { leader: member, membership: membership.value, registered, record: view.inSync?.value },
    serverRun,
    signal,
    recordRevision: revisionOf(view.inSync),
    record: async (next) => {
      const after = {
        term: authority.value.term,
        epoch: membership.value.epoch,
        since: timestampOf(clock),
        ...next,
      };
      const written = await recordInSync({
        etcd,
        keys,
        cluster,
        authority,
        membership,
        clock,
        before: view.inSync,
        after,
        actor: `agent:${member}`,
        reason: next.degraded
          ? 'there is no voter in sync'
          : `in sync: ${next.voters.map((voter) => voter.member).join(', ')}`,
      });
      return written?.revision;
    },
  });
  if (standing.kind !== 'agreed') {
    keeper.explain(standing.reason);
    return;
  }
  if (signal.aborted) return;
  const { names, record } = standing;
  keeper.assign({ epoch: membership.value.epoch, authority, record, names, serverRun });
}
