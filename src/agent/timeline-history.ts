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

/**
 * Why a standby's log isn't a prefix of the source's; undefined when it is, so that it can follow. A standby that holds
 * more of the old timeline than the source kept has decisions that the source never will: it may not stream over them.
 */
export function divergence(own: OwnPosition, source: SourceHistory): string | undefined {
  if (own.systemIdentifier !== source.systemIdentifier)
    return `its data is of another cluster (system identifier ${own.systemIdentifier}, not ${source.systemIdentifier})`;
  const kept =
    own.timeline === source.timeline
      ? source.flushedLsn
      : source.switches.find(({ parent }) => parent === own.timeline)?.switchLsn;
  if (kept === undefined)
    return `its timeline ${own.timeline} is not in the history of the new leader's timeline ${source.timeline}`;
  const mine = parseLsn(own.lsn);
  const end = parseLsn(kept);
  if (mine === undefined || end === undefined) return `its position ${own.lsn} can't be compared`;
  return mine <= end
    ? undefined
    : `ahead of the new leader: it holds timeline ${own.timeline} up to ${own.lsn}, the new leader has it up to ${kept}`;
}

/** The 24-digit name of the WAL segment -> its timeline; undefined for any other name. */
export function timelineOfWalFile(name: string): number | undefined {
  const match = /^([0-9A-F]{8})[0-9A-F]{16}$/.exec(name);
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16);
}

const hex = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0');

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

function segmentOf(byte: bigint, segmentBytes: number): string {
  const perId = 0x1_0000_0000n / BigInt(segmentBytes);
  const segment = byte / BigInt(segmentBytes);
  return hex(segment / perId) + hex(segment % perId);
}
