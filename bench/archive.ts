/**
 * A shard's log archived into a folder, verified and replayed into the projections, against `COPY … TO` of the same rows by
 * the same Postgres in the same run. Needs no sandbox.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveShard } from '../src/archive/archive-shard.ts';
import { FolderStore } from '../src/archive/folder-store.ts';
import type { LogReader } from '../src/archive/log-port.ts';
import { replayInto } from '../src/archive/replay-into-projections.ts';
import { verifyShard } from '../src/archive/verify-shard.ts';
import { systemClock } from '../src/clock/system-clock.ts';
import { readLogAtLeader } from '../src/reservations/read-log.ts';
import { DEFAULT_SHARD_COUNT } from '../src/domain/shard.ts';
import { grantTestLease, SCOPE, startPostgres } from '../test/support/postgres.ts';
import { startProjections } from '../test/support/projections.ts';
import { seedDecisions } from '../test/support/seed-decisions.ts';
import { machineFacts } from './support/machine.ts';
import { formatRatios, median, ratio } from './support/stats.ts';

const ENTRIES = Number(process.env['BENCH_ENTRIES'] ?? 100_000);
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3);
const LIMITS = { segmentEntries: 10_000, closeAfterMs: 3_600_000, compression: 'zstd' } as const;
const LEASE_MS = 600_000;

/** Tokens and times as clients make them: seeded ones are so alike that they compress to nothing. */
const LIKE_LIVE = `set session_replication_role = replica;
  update capstan.outbox
    set reservation_token = gen_random_uuid()::text, desk = 'desk-' || (random() * 40)::integer,
      reservation_id = case when reservation_id is not null then gen_random_uuid()::text end,
      decided_at = decided_at + position * interval '1 ms' + random() * interval '900 us'
    where shard_id = ${SCOPE.shard};
  set session_replication_role = origin`;

const place = { estate: 'bench', incarnation: 'bench', shard: SCOPE.shard };
const folder = await mkdtemp(join(tmpdir(), 'capstan-bench-'));
const [leader, projections] = await Promise.all([startPostgres(), startProjections()]);

const timed = async <T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> => {
  const started = performance.now();
  const value = await work();
  return { ms: performance.now() - started, value };
};

try {
  const admin = await leader.connect('superuser');
  await admin.query('set statement_timeout = 0');
  await seedDecisions({
    client: admin,
    shards: [SCOPE.shard],
    shardCount: DEFAULT_SHARD_COUNT,
    decisionsPerShard: ENTRIES,
  });
  await admin.query(LIKE_LIVE);
  await grantTestLease(leader, { validForMs: LEASE_MS });
  const client = await leader.connect('reader');
  const reader: LogReader = {
    async read([request], limit) {
      if (request === undefined) return new Map();
      const scope = { cluster: SCOPE.cluster, epoch: SCOPE.epoch, term: SCOPE.term };
      const shards = [{ ...request, generation: SCOPE.generation }];
      const read = await readLogAtLeader(
        client,
        scope,
        { shards, entriesMax: limit },
        { deadlineMs: 30_000 },
      );
      if (read.kind !== 'read') throw new Error(JSON.stringify(read));
      return new Map(read.logs.map((log) => [log.shard, log]));
    },
  };
  const copyFile = `${leader.dataDir}/bench.copy`;
  const rounds: { copy: number; archive: number; verify: number; replay: number }[] = [];
  let stored = 0;
  let copied = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const store = new FolderStore(join(folder, String(round)));
    const copy = await timed(() =>
      admin.query(
        `copy (select * from capstan.outbox where shard_id = ${SCOPE.shard} order by position) to '${copyFile}'`,
      ),
    );
    copied = (await stat(copyFile)).size;
    const archived = await timed(() =>
      archiveShard({ store, reader, place, limits: LIMITS, close: true, clock: systemClock }),
    );
    if (archived.value.entries !== ENTRIES)
      throw new Error(`${archived.value.entries} entries were archived`);
    stored = archived.value.bytes;
    const verified = await timed(() => verifyShard({ store, place }));
    if (verified.value.problems.length > 0) throw new Error(JSON.stringify(verified.value.problems[0]));
    const { signal } = new AbortController();
    const replayed = await timed(() =>
      replayInto(projections.store, { store, places: [place], by: 'bench', signal }),
    );
    if (replayed.value[0]?.entries !== ENTRIES) throw new Error(JSON.stringify(replayed.value));
    rounds.push({ copy: copy.ms, archive: archived.ms, verify: verified.ms, replay: replayed.ms });
    console.error(`round ${round + 1} of ${ROUNDS} done`);
  }
  const of = (key: 'copy' | 'archive' | 'verify' | 'replay') => rounds.map((each) => each[key]);
  const perSecond = (key: Parameters<typeof of>[0]) => Math.round(ENTRIES / (median(of(key)) / 1_000));
  console.log(machineFacts());
  console.log(
    `${ENTRIES} entries: archived ${perSecond('archive')}/s, verified ${perSecond('verify')}/s, replayed into projections ${perSecond('replay')}/s, copied ${perSecond('copy')}/s`,
  );
  console.log(
    `an entry is ${(stored / ENTRIES).toFixed(1)} bytes in the archive (zstd), ${(copied / ENTRIES).toFixed(1)} in a plain COPY`,
  );
  console.log(
    formatRatios([
      ratio('archive / COPY, time', { of: of('archive'), to: of('copy'), atMost: 40 }),
      ratio('archive / COPY, bytes', { of: [stored], to: [copied], atMost: 0.5 }),
    ]),
  );
} finally {
  await Promise.all([leader.stop(), projections.stop()]);
  await rm(folder, { recursive: true, force: true });
}
