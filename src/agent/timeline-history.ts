import { parseLsn } from '../domain/lsn.ts';

/** One change of timeline: `parent` ended at `switchLsn`. */
export interface TimelineSwitch {
  readonly parent: number;
  readonly switchLsn: string;
}

/** Reads a timeline history file, oldest switch first. (Postgres: src/backend/access/transam/timeline.c.) */
export function parseTimelineHistory(text: string): TimelineSwitch[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line);
    const [, parent, switchLsn] = match ?? [];
    return parent === undefined || switchLsn === undefined ? [] : [{ parent: Number(parent), switchLsn }];
  });
}

/** Where a source stands: its timeline, and how it came to be. */
export interface SourceHistory {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly flushedLsn: string;
  readonly switches: readonly TimelineSwitch[];
}

export interface OwnPosition {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly lsn: string;
}

/** A position and how its timeline came to be; without that nothing can be said of it. */
export interface OwnLog extends OwnPosition {
  readonly switches: readonly TimelineSwitch[] | undefined;
}

/**
 * Why a standby's log isn't a prefix of the source's; undefined when it is by its history, so that it can follow. A standby
 * that holds more of the old timeline than the source kept has decisions that the source never will: it may not stream over
 * them. A number alone says little: a member that never heard of a timeline gives its number to another one.
 */
export function divergence(own: OwnLog, source: SourceHistory): string | undefined {
  if (own.systemIdentifier !== source.systemIdentifier)
    return `its data is of another cluster (system identifier ${own.systemIdentifier}, not ${source.systemIdentifier})`;
  const { switches } = own;
  if (switches === undefined)
    return `how its timeline ${own.timeline} came to be is not told by any file here`;
  const last = source.switches.findIndex(({ parent }) => parent === own.timeline);
  if (last < 0 && own.timeline !== source.timeline)
    return `its timeline ${own.timeline} is not in the history of the new leader's timeline ${source.timeline}`;
  const before = last < 0 ? source.switches : source.switches.slice(0, last);
  if (switches.length !== before.length || !switches.every((each, at) => isSame(each, before[at])))
    return `its timeline ${own.timeline} is another than the new leader's of that number: they began elsewhere`;
  const kept = source.switches[last]?.switchLsn ?? source.flushedLsn;
  const mine = parseLsn(own.lsn);
  const end = parseLsn(kept);
  if (mine === undefined || end === undefined) return `its position ${own.lsn} can't be compared`;
  return mine <= end
    ? undefined
    : `ahead of the new leader: it holds timeline ${own.timeline} up to ${own.lsn}, the new leader has it up to ${kept}`;
}

const isSame = (a: TimelineSwitch, b: TimelineSwitch | undefined): boolean =>
  a.parent === b?.parent && parseLsn(a.switchLsn) === parseLsn(b.switchLsn);

export interface LogPoint {
  readonly timeline: number;
  readonly lsn: string;
}

/** The last point that two logs have in common, as pg_rewind finds it. Undefined: none, or they part nowhere. */
export function partingPoint(
  own: Pick<OwnPosition, 'timeline'> & { readonly switches: readonly TimelineSwitch[] },
  source: Pick<SourceHistory, 'timeline' | 'switches'>,
): LogPoint | undefined {
  let at = 0;
  for (const each of own.switches) {
    if (!isSame(each, source.switches[at])) break;
    at += 1;
  }
  const [mine, theirs] = [own.switches[at], source.switches[at]];
  const timeline = mine?.parent ?? own.timeline;
  if (timeline !== (theirs?.parent ?? source.timeline)) {
    const before = own.switches[at - 1];
    return before === undefined ? undefined : { timeline: before.parent, lsn: before.switchLsn };
  }
  const [lsn] = [mine, theirs]
    .flatMap((end) => (end === undefined ? [] : [end.switchLsn]))
    .toSorted((a, b) => Number((parseLsn(a) ?? 0n) - (parseLsn(b) ?? 0n)));
  return lsn === undefined ? undefined : { timeline, lsn };
}

/** The 24-digit name of the WAL segment -> its timeline; undefined for any other name. */
export function timelineOfWalFile(name: string): number | undefined {
  const match = /^([0-9A-F]{8})[0-9A-F]{16}$/.exec(name);
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
}

const hex = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0');

/** As the names of a timeline's files begin. */
export const timelineId = (timeline: number): string => hex(BigInt(timeline));

/** The part of a segment's name after its timeline, for the segment that holds the byte before `lsn`. */
export function segmentBefore(lsn: string, segmentBytes: number): string | undefined {
  const position = parseLsn(lsn);
  return position === undefined || position === 0n ? undefined : segmentOf(position - 1n, segmentBytes);
}

/** As `segmentBefore`, for the segment in which what follows `lsn` begins. */
export function segmentAfter(lsn: string, segmentBytes: number): string | undefined {
  const position = parseLsn(lsn);
  return position === undefined ? undefined : segmentOf(position, segmentBytes);
}

/** What is compared of a log before `lsn`: so many bytes of the segment that holds the last one, and the segment before it. */
export function stretchBefore(
  lsn: string,
  segmentBytes: number,
): { readonly segment: string; readonly length: number; readonly earlier: string } | undefined {
  const end = parseLsn(lsn);
  const size = BigInt(segmentBytes);
  if (end === undefined || end <= size) return undefined;
  const segment = segmentOf(end - 1n, segmentBytes);
  const earlier = segmentOf(end - 1n - size, segmentBytes);
  return { segment, length: Number((end - 1n) % size) + 1, earlier };
}

function segmentOf(byte: bigint, segmentBytes: number): string {
  const perId = 0x1_0000_0000n / BigInt(segmentBytes);
  const segment = byte / BigInt(segmentBytes);
  return hex(segment / perId) + hex(segment % perId);
}
