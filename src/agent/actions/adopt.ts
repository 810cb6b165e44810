import { adoptTerm } from '../../reservations/lease-sql.ts';
import type { EstateView } from '../../controlplane/estate-watch.ts';
import type { Handover } from '../replication-facts.ts';
import type { Work } from '../work.ts';

/** The shards that the map gives to a cluster, as `adopt_term` takes them. */
export const shardsOf = (estate: EstateView, cluster: string) =>
  [...estate.shards.values()]
    .filter(({ value }) => value.cluster === cluster)
    .map(({ value: { shard, generation, state, mapVersion, handover } }) => ({
      shard,
      generation,
      state,
      mapVersion,
      handover,
    }));

/** Of those, the ones that were another cluster's before. */
export const handoversOf = (estate: EstateView, cluster: string): readonly Handover[] =>
  shardsOf(estate, cluster).flatMap(({ shard, handover }) =>
    handover === undefined ? [] : [{ shard, handover }],
  );

/** Makes this Postgres agree with the map under the authority's term. Repeats change nothing. */
export async function adopt(work: Work, reason: string): Promise<void> {
  const { context, postgres, estate, view, authority } = work;
  const { cluster, logger } = context;
  const epoch = view.membership?.value.epoch;
  const incarnation = estate.estate?.value.incarnation;
  if (epoch === undefined || incarnation === undefined) throw new Error('no membership to adopt');
  const adoption = await postgres.adopter.use((client) =>
    adoptTerm(client, {
      cluster,
      epoch,
      term: authority.value.term,
      reason,
      incarnation,
      shards: shardsOf(estate, cluster),
    }),
  );
  const about = { term: authority.value.term, epoch, reason, ...adoption };
  logger.info(about, 'term adopted');
  if (adoption.withheld > 0)
    logger.error(
      about,
      'shards stay shut: their rows end before the position at which they were handed over',
    );
}
