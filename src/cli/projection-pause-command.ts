import type { EtcdPort } from '../etcd/port.ts';
import type { Estate } from './estate.ts';
import { namedShards, withProjectionsOf } from './projections.ts';
import { text } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { ProjectionPauseData } from './schemas/projection.ts';

/** `capstan projection pause|resume`: low risk and undone by the other one, so nothing is asked. */
export async function runProjectionPause(about: {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly kind: string;
  readonly paused: boolean;
  readonly shards: readonly number[] | undefined;
  readonly reason: string;
}): Promise<CommandResult> {
  const { etcd, estate, kind, paused, reason } = about;
  const [{ pauseProjections, resumeProjections }, { currentActor }, { appendAudit }, { readEstateSnapshot }] =
    await Promise.all([
      import('../projections/pause.ts'),
      import('../controlplane/actor.ts'),
      import('../controlplane/audit.ts'),
      import('../controlplane/estate-snapshot.ts'),
    ]);
  const snapshot = await readEstateSnapshot(etcd, estate.keys);
  const shards = about.shards === undefined ? null : namedShards(snapshot, about.shards);
  const actor = currentActor();
  const touched = await withProjectionsOf(estate, 'projector', (client) =>
    paused
      ? pauseProjections({ client, shards, reason, operator: actor })
      : resumeProjections({ client, shards }),
  );
  const changed = touched.length > 0;
  if (changed) {
    await appendAudit(etcd, estate.keys, {
      actor,
      action: paused ? 'projection.pause' : 'projection.resume',
      target: 'projections',
      before: { paused: !paused },
      after: { paused, shards: shards === null ? 'all' : touched },
      reason,
    });
  }
  const data: ProjectionPauseData = { changed, paused, shards: shards === null ? null : [...shards] };
  const what = shards === null ? 'all projections' : `the projections of ${shards.length} shards`;
  const state = paused ? 'paused' : 'not paused';
  return {
    kind,
    data,
    names: shards === null ? ['projections'] : shards.map((shard) => `shard/${shard}`),
    view: () => [text(changed ? `${what}: ${state} now` : `${what}: ${state} already; nothing changed`)],
  };
}
