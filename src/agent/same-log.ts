import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { askLeader } from './ask-leader.ts';
import type { AgentContext } from './context.ts';
import { readIfThere } from './durable-file.ts';
import { readSourceHistory } from './source-history.ts';
import {
  type LogPoint,
  parseTimelineHistory,
  partingPoint,
  stretchBefore,
  timelineId,
  timelineOfWalFile,
  type TimelineSwitch,
} from './timeline-history.ts';

type Local = Pick<AgentContext, 'files'>;

/** How a timeline of the data here came to be; undefined: no file tells. */
export async function switchesBefore(
  { files }: Local,
  timeline: number,
): Promise<readonly TimelineSwitch[] | undefined> {
  if (timeline === 1) return [];
  const text = await readIfThere(join(files.dataDir, 'pg_wal', `${timelineId(timeline)}.history`));
  return text === undefined ? undefined : parseTimelineHistory(text);
}

/** Only the record that begins a timeline, and each commit, carry the time: a segment of two logs is never the same by chance. */
const THEIRS = `
  with log as (
    select min(name collate "C") as name from pg_ls_dir('pg_wal', true, false) as name
     where name ~ '^[0-9A-F]{24}$' and substr(name, 9) = $2 and left(name, 8) collate "C" >= $1)
  select (select encode(sha256(pg_read_binary_file('pg_wal/' || name, 0, $3, true)), 'hex') from log) as last,
    encode(sha256(pg_read_binary_file('pg_wal/' || $1 || $4, 0, $5, true)), 'hex') as earlier`;

interface Digests {
  readonly last: string | null;
  readonly earlier: string | null;
}

/**
 * Why the log here before a point may be another than the leader's. Two members that were promoted at the same point, neither
 * of which knew of the other, have timelines of one number and one history: only what was written tells them apart.
 */
export async function whyAnotherLog(
  context: AgentContext,
  leader: string,
  { timeline, lsn }: LogPoint,
): Promise<string | undefined> {
  // Its beginning is the cluster's own.
  if (timeline === 1) return undefined;
  const doubt = (who: string) =>
    `its timeline ${timeline} can't be compared with the new leader's: ${who} has no log before ${lsn}`;
  const wal = join(context.files.dataDir, 'pg_wal');
  const names = (await readdir(wal)).filter((name) => timelineOfWalFile(name) !== undefined).toSorted();
  const [some] = names;
  if (some === undefined) return doubt('it');
  const { size } = await stat(join(wal, some));
  const stretch = stretchBefore(lsn, size);
  if (stretch === undefined) return doubt('nobody');
  const { segment, length, earlier } = stretch;
  const id = timelineId(timeline);
  const own = names.find((name) => name.slice(8) === segment && name.slice(0, 8) >= id);
  if (own === undefined) return doubt('it');
  const mine: Digests = {
    last: await digestOf(join(wal, own), length),
    earlier: names.includes(id + earlier) ? await digestOf(join(wal, id + earlier), size) : null,
  };
  const theirs = await askLeader(context, { member: leader, role: 'replication' }, async (client) => {
    const { rows } = await client.query<Digests>(THEIRS, [id, segment, length, earlier, size]);
    return rows[0];
  });
  if (theirs === undefined || theirs.last === null) return doubt(leader);
  const bothEarlier = mine.earlier !== null && theirs.earlier !== null;
  return mine.last === theirs.last && (!bothEarlier || mine.earlier === theirs.earlier)
    ? undefined
    : `its timeline ${timeline} is another than the new leader's of that number: other records are in it`;
}

/** Why pg_rewind could be misled by equal numbers: it knows timelines by number and beginning only. */
export async function whyMisled(context: AgentContext, leader: string): Promise<string | undefined> {
  const names = await readdir(join(context.files.dataDir, 'pg_wal'));
  const timeline = Math.max(1, ...names.map((name) => timelineOfWalFile(name) ?? 1));
  const switches = await switchesBefore(context, timeline);
  if (switches === undefined) return `how its timeline ${timeline} came to be is not told by any file here`;
  const point = partingPoint({ timeline, switches }, await readSourceHistory(context, leader));
  return point === undefined
    ? `its timeline ${timeline} has no end in the leader's history`
    : whyAnotherLog(context, leader, point);
}

async function digestOf(path: string, length: number): Promise<string> {
  const hash = createHash('sha256');
  // `end` is the last byte that is read.
  for await (const chunk of createReadStream(path, { end: length - 1 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
