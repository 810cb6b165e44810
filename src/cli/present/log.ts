import type { ShardOutcome } from '../../archive/archive-log.ts';
import type { Superseded } from '../../archive/head.ts';
import { type CapstanError, partialError } from '../../domain/errors.ts';
import { table, text, type Section } from '../render/section.ts';
import type { LogArchiveData, LogListData, LogReplayData, LogVerifyData } from '../schemas/log.ts';

export const supersededData = ({ first, last, chain, by }: Superseded) => ({
  first,
  last,
  chain,
  generation: by.generation,
  term: by.term,
  cluster: by.cluster,
});

export function archiveData(
  outcomes: readonly ShardOutcome[],
  at: { readonly where: string; readonly incarnation: string },
): LogArchiveData {
  const sum = (key: 'segments' | 'entries' | 'bytes') => outcomes.reduce((total, one) => total + one[key], 0);
  return {
    changed: outcomes.some(({ segments, superseded }) => segments > 0 || superseded !== null),
    ...at,
    segments: sum('segments'),
    entries: sum('entries'),
    bytes: sum('bytes'),
    shards: outcomes.map(({ superseded, error, ...rest }) => ({
      ...rest,
      superseded: superseded === null ? null : supersededData(superseded),
      error: error === null ? null : { code: error.code, message: error.message },
    })),
  };
}

/** Undefined: every shard was done. */
export function archiveError(outcomes: readonly ShardOutcome[]): CapstanError | undefined {
  const failed = outcomes.filter(({ error }) => error !== null);
  const [first] = failed;
  if (first?.error === undefined || first.error === null) return undefined;
  if (failed.length === outcomes.length) return first.error;
  return partialError(
    `${failed.length} of ${outcomes.length} shards were not archived; the first: ${first.error.message}`,
    {
      code: 'archive_partial',
      next: first.error.next ?? 'capstan log verify',
      data: { shards: failed.map(({ shard }) => shard) },
    },
  );
}

export function archiveSections(data: LogArchiveData): readonly Section[] {
  return [
    table({
      columns: [
        { header: 'SHARD', value: (row) => row.shard, align: 'right' },
        { header: 'FROM', value: (row) => row.from, align: 'right' },
        { header: 'TO', value: (row) => row.to, align: 'right' },
        { header: 'BOUND', value: (row) => row.bound, align: 'right' },
        { header: 'SEGMENTS', value: (row) => row.segments, align: 'right' },
        { header: 'BYTES', value: (row) => row.bytes, align: 'right', wide: true },
        { header: 'NOTE', value: noteOf, shrink: true },
      ],
      rows: data.shards.filter((row) => row.segments > 0 || noteOf(row) !== null),
      empty: 'nothing was due',
    }),
    text(`${data.segments} segments of ${data.entries} entries, ${data.bytes} bytes, at ${data.where}`),
  ];
}

const noteOf = ({ error, superseded, behind }: LogArchiveData['shards'][number]): string | null => {
  if (error !== null) return error.message;
  if (superseded !== null)
    return `${superseded.first} to ${superseded.last} superseded by term ${superseded.term}`;
  return behind;
};

export function verifySections(data: LogVerifyData): readonly Section[] {
  return [
    table({
      columns: [
        { header: 'SHARD', value: (row) => row.shard, align: 'right' },
        { header: 'PROBLEM', value: (row) => row.problem },
        { header: 'POSITION', value: (row) => row.position, align: 'right' },
        { header: 'OBJECT', value: (row) => row.object, shrink: true },
        { header: 'WHY', value: (row) => row.why, shrink: true },
      ],
      rows: data.problems,
      empty: 'no problem',
    }),
    ...(data.strays.length === 0
      ? []
      : [text(`beside the live log: ${countsOf(data.strays.map(({ is }) => is))}`)]),
    text(
      `${data.shards.length} shards, ${data.segments} live segments, ${data.bytes} bytes read, at ${data.where}`,
    ),
  ];
}

const countsOf = (kinds: readonly string[]): string =>
  [...Map.groupBy(kinds, (kind) => kind)].map(([kind, all]) => `${all.length} ${kind}`).join(', ');

export function replaySections(data: LogReplayData): readonly Section[] {
  return [
    table({
      columns: [
        { header: 'SHARD', value: (row) => row.shard, align: 'right' },
        { header: 'POSITION', value: (row) => row.position, align: 'right' },
        { header: 'ENTRIES', value: (row) => row.entries, align: 'right' },
        { header: 'ERROR', value: (row) => row.error, shrink: true },
      ],
      rows: data.shards,
      empty: 'no shard',
    }),
    text(`${data.entries} entries into ${data.into}`),
  ];
}

export function listSections(data: LogListData): readonly Section[] {
  return [
    table({
      columns: [
        { header: 'SHARD', value: (row) => row.shard, align: 'right' },
        { header: 'POSITION', value: (row) => row.position, align: 'right' },
        { header: 'SEGMENTS', value: (row) => row.segments, align: 'right' },
        { header: 'HEADS', value: (row) => row.heads, align: 'right', wide: true },
        { header: 'CLUSTER', value: (row) => row.cluster },
        { header: 'TERM', value: (row) => row.term, align: 'right' },
        { header: 'CHAIN', value: (row) => row.chain, shrink: true, wide: true },
        {
          header: 'SUPERSEDED',
          value: (row) => row.superseded.map(({ first, last }) => `${first} to ${last}`).join(', ') || null,
        },
      ],
      rows: data.shards,
      empty: 'nothing is archived',
    }),
  ];
}
