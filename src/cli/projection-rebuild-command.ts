import { usageError } from '../domain/errors.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { Estate } from './estate.ts';
import type { Output } from './output.ts';
import { namedShards, withProjectionsOf } from './projections.ts';
import { confirmByName, confirmYes } from './prompt.ts';
import { facts, type Section, text } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { ProjectionRebuildData } from './schemas/projection.ts';

const KIND = 'ProjectionRebuild';

/** `capstan projection rebuild`: the plan, the approval, the request; projectors carry it out. */
export async function runRebuildCommand(about: {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly flags: {
    readonly shard?: readonly number[] | undefined;
    readonly all: boolean;
    readonly reason: string;
    readonly 'dry-run': boolean;
    readonly yes: boolean;
    readonly confirm?: string | undefined;
  };
  readonly output: Output;
  readonly interactive: boolean;
}): Promise<CommandResult> {
  const { etcd, estate, flags, output, interactive } = about;
  const { shard: named, all, reason } = flags;
  if (named === undefined && !all) {
    throw usageError('which shards?', { code: 'flag_missing', next: '--shard 184, or --all' });
  }
  const [{ requestRebuild }, { currentActor }, { appendAudit }, { readEstateSnapshot }, { readWatermarks }] =
    await Promise.all([
      import('../projections/request-rebuild.ts'),
      import('../controlplane/actor.ts'),
      import('../controlplane/audit.ts'),
      import('../controlplane/estate-snapshot.ts'),
      import('../projections/queries/watermarks.ts'),
    ]);
  const shards = namedShards(await readEstateSnapshot(etcd, estate.keys), all ? undefined : named);
  const plan = await withProjectionsOf(estate, 'projections_reader', async (client) => {
    const marks = await readWatermarks(client, [...shards]);
    return {
      entries: marks.reduce((sum, { position }) => sum + BigInt(position), 0n),
      paused: marks.filter(({ paused }) => paused).length,
    };
  });
  const sections = (): Section[] => [
    facts([
      ['shards', all ? `all ${shards.length}` : shards.join(', ')],
      ['entries', `${plan.entries}, read anew from the followers`],
      ['meanwhile', 'the old rows of each are shown, out of budget, until its new ones replace them at once'],
      ['paused', plan.paused === 0 ? 'none' : `${plan.paused}: rebuilt only after capstan projection resume`],
    ]),
  ];
  const result = (requested: readonly number[]): CommandResult => {
    const data: ProjectionRebuildData = {
      changed: requested.length > 0,
      dryRun: flags['dry-run'],
      shards: [...shards],
      requested: [...requested],
    };
    const said =
      requested.length === 0
        ? 'asked for already; nothing changed'
        : `asked for ${requested.length} of ${shards.length}: capstan projection list shows how it goes`;
    return {
      kind: KIND,
      data,
      names: shards.map((shard) => `shard/${shard}`),
      view: () => (flags['dry-run'] ? sections() : [text(said)]),
    };
  };
  if (flags['dry-run']) return result([]);
  await output.preview(sections());
  await (all
    ? confirmByName({
        interactive,
        action: 'rebuild every projection',
        name: 'projections',
        confirm: flags.confirm,
      })
    : confirmYes({ interactive, action: `rebuild ${shards.length} shard(s)`, yes: flags.yes }));
  const actor = currentActor();
  const requested = await withProjectionsOf(estate, 'projector', (client) =>
    requestRebuild({ client, shards, reason, by: actor }),
  );
  if (requested.length > 0) {
    await appendAudit(etcd, estate.keys, {
      actor,
      action: 'projection.rebuild',
      target: 'projections',
      after: { shards: requested.length === shards.length && all ? 'all' : requested },
      reason,
    });
  }
  return result(requested);
}
