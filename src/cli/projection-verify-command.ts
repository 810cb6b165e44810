import type { EtcdReader } from '../etcd/port.ts';
import { CapstanError, ExitCode } from '../domain/errors.ts';
import type { Estate } from './estate.ts';
import { verifiedSections } from './present/projection.ts';
import { namedShards, withProjectionsOf } from './projections.ts';
import type { CommandResult } from './result.ts';
import type { ProjectionVerifyData } from './schemas/projection.ts';

/** `capstan projection verify|diff`: the same comparison, with few or many rows shown. */
export async function runVerifyCommand(about: {
  readonly etcd: EtcdReader;
  readonly estate: Estate;
  readonly kind: string;
  readonly shards: readonly number[] | undefined;
  /** Of each shard. */
  readonly differencesMax: number;
  readonly signal: AbortSignal;
}): Promise<CommandResult> {
  const { etcd, estate, kind, differencesMax, signal } = about;
  const [{ verifyProjections }, { readEstateSnapshot }] = await Promise.all([
    import('../projections/verify-projections.ts'),
    import('../controlplane/estate-snapshot.ts'),
  ]);
  const snapshot = await readEstateSnapshot(etcd, estate.keys);
  const shards = namedShards(snapshot, about.shards);
  const verified = await withProjectionsOf(estate, 'projections_reader', (client) =>
    verifyProjections({
      client,
      config: estate.config,
      region: estate.region,
      snapshot,
      shards,
      differencesMax,
      signal,
    }),
  );
  const data: ProjectionVerifyData = {
    equal: verified.every(({ equal }) => equal),
    shards: verified.map(({ first: _first, ...one }) => one),
    differences: verified.flatMap(({ first }) =>
      first.map((row) => ({ ...row, columns: row.columns.map((column) => ({ ...column })) })),
    ),
  };
  const differing = verified.filter(({ differences }) => differences > 0).map(({ shard }) => shard);
  const uncompared = verified.filter(({ error }) => error !== null).map(({ shard }) => shard);
  return {
    kind,
    data,
    names: differing.map((shard) => `shard/${shard}`),
    view: () => verifiedSections(data),
    ...(differing.length > 0
      ? { error: differs(differing) }
      : uncompared.length > 0
        ? { error: notCompared(uncompared) }
        : {}),
  };
}

const differs = (shards: readonly number[]): CapstanError =>
  new CapstanError(
    `the projections of ${shards.length} shard(s) are not the fold of their logs: ${shards.join(', ')}`,
    {
      code: 'projection_differs',
      exit: ExitCode.notReady,
      next: `capstan projection rebuild --shard ${shards.join(',')} --reason "verify"`,
      data: { shards },
    },
  );

const notCompared = (shards: readonly number[]): CapstanError =>
  new CapstanError(`${shards.length} shard(s) could not be compared: ${shards.join(', ')}`, {
    code: 'projection_uncompared',
    exit: ExitCode.notReady,
    retryable: true,
    next: `capstan projection verify --shard ${shards.join(',')}`,
    data: { shards },
  });
