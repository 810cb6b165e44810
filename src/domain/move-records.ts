/** What etcd holds of shards on the move (keys: src/controlplane/keys.ts; protocol: src/controlplane/rebalance/SPEC.md). */
import type { ShardId } from './shard.ts';

/**
 * - `queued`: nothing exists in any Postgres.
 * - `copy`: the other one's rows are wiped, then copied; the way back is prepared.
 * - `follow`: caught up, and kept so.
 * - `seal`: nobody decides; the other one is waited for.
 * - `turn`: the map names the new owner (the point of no return); replication is turned round.
 * - `parted`: after a flip the way back was lost; the old owner's rows grow old.
 * - `clean`: everything of the stream is dropped, the other one's rows are wiped.
 * - `done`: nothing is left of it.
 */
export type MovePhase = 'queued' | 'copy' | 'follow' | 'seal' | 'turn' | 'parted' | 'clean' | 'done';

/** Shard -> position, as text. */
export type Positions = Readonly<Record<string, string>>;

/** The rows of both sides were compared and are equal up to these positions. */
export interface MoveVerification {
  readonly positions: Positions;
  readonly rows: string;
  /** Rows that the owner had changed since the position at which they were compared. */
  readonly laterRows: string;
  readonly at: string;
}

/** How far a comparison has come: what lies before is done. */
export interface VerificationCursor {
  readonly shard: ShardId;
  readonly table: string;
  /** The last key that was compared; null: the table begins. */
  readonly after: readonly string[] | null;
  readonly rows: string;
  readonly laterRows: string;
  /** Where each shard stood when its comparison began: what was decided since is looked at once more at the end. */
  readonly positions: Positions;
  readonly startedAt: string;
}

/** One difference, by table, key and column. */
export interface MoveDifference {
  readonly shard: ShardId;
  readonly table: string;
  readonly key: readonly string[];
  /** Null: the whole row is missing on one side. */
  readonly column: string | null;
  readonly owner: string | null;
  readonly other: string | null;
}

export interface MoveSeal {
  /** Fresh for each try: what an earlier one left in a head row is no sign of this one. */
  readonly id: string;
  readonly at: string;
  readonly budgetMs: number;
}

/** Where the other one stood when it became the owner. */
export interface MoveHandover {
  readonly positions: Positions;
  /** Of the new owner's WAL: all that was applied lies before, all that it decides lies after. */
  readonly lsn: string;
  readonly pauseMs: number | null;
  readonly at: string;
}

/** One stream of a rebalance: shards of one cluster that go to one other together. */
export interface MoveRecord {
  readonly operation: string;
  readonly stream: number;
  readonly shards: readonly ShardId[];
  /** Who owned them before the operation, and who is to; never changed. */
  readonly from: string;
  readonly to: string;
  /** Whom the map names now; the other of both receives. */
  readonly owner: string;
  readonly phase: MovePhase;
  /** +1 at each new copy. */
  readonly attempt: number;
  /** +1 at each flip: leg n carries from its owner to the other one. */
  readonly leg: number;
  /** The terms under which the leg was made; null while `queued`. */
  readonly terms: Readonly<Record<string, number>> | null;
  /** A person has stopped the copy; what is applied goes no further. */
  readonly paused: boolean;
  readonly cursor: VerificationCursor | null;
  readonly verification: MoveVerification | null;
  /** Found by the last comparison; not empty: no cutover. */
  readonly differences: readonly MoveDifference[];
  readonly seal: MoveSeal | null;
  readonly handover: MoveHandover | null;
  /** What ended the last try of something, for people. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly since: string;
  readonly updatedAt: string;
}

/**
 * What a person asks of a rebalance.
 * - `copy`: copied, followed and verified. `verify`: compared once more.
 * - `cutover`: owned by `to`. `reverse`: owned by `from` again.
 * - `complete`: whoever owns them keeps them, and the other one is cleaned. `cancel`: the same, only where `from` still owns them.
 */
export type MoveGoalKind = 'copy' | 'verify' | 'cutover' | 'reverse' | 'complete' | 'cancel';

export interface MoveGoal {
  readonly kind: MoveGoalKind;
  /** Those that weren't so when it was asked for. */
  readonly streams: readonly number[];
  /** Null: the plan's. */
  readonly pauseBudgetMs: number | null;
  readonly askedBy: string;
  readonly askedAt: string;
}

/** How a stream ended; all that is left of it. */
export interface MoveOutcome {
  readonly stream: number;
  readonly outcome: 'moved' | 'kept';
  readonly from: string;
  readonly to: string;
  readonly owner: string;
  readonly shards: readonly ShardId[];
  readonly generations: Readonly<Record<string, number>>;
  /** Where the shards were handed over last; null: they never were. */
  readonly positions: Positions | null;
  readonly pauseMs: number | null;
  readonly at: string;
}

/** Of the slot that a leg is sent from. `lost`: gone, or invalidated by the bound on retained WAL. */
export type SlotState = 'absent' | 'made' | 'active' | 'lost';

/** What the leader of a stream's owner says of it. Figures that aren't known are null, never zero. */
export interface OwnerMoveReport {
  readonly role: 'owner';
  readonly slot: SlotState;
  readonly retainedWalBytes: string | null;
  readonly walBytesPerSecond: number | null;
  readonly diskFreeBytes: string | null;
  /** How long a commit takes here at the median of the last seconds. */
  readonly commitMs: number | null;
  /** What the owner has written; the other one reckons its lag by it. Absent: not known. */
  readonly written?: { readonly lsn: string; readonly positions: Positions };
  readonly sealed: { readonly seal: string; readonly positions: Positions } | null;
  /** After a flip: the old leg's subscription is gone and the new leg's slot stands where this one took over. */
  readonly turned: boolean;
}

/** What the leader of a stream's other cluster says of it. */
export interface OtherMoveReport {
  readonly role: 'other';
  /** The shards' earlier rows are gone, for this attempt. */
  readonly wiped: boolean;
  readonly tables: { readonly total: number; readonly ready: number };
  readonly rowsCopied: string | null;
  readonly bytesCopied: string | null;
  /** Behind what the owner has written; null: unknown, which is not zero. */
  readonly lagBytes: string | null;
  readonly lagPositions: string | null;
  /** Applies what the owner sends, all tables ready. */
  readonly following: boolean;
  /** Why it doesn't apply right now, by its own choice (a bound was passed, a person paused it). */
  readonly yielding: string | null;
  /** The slot that the way back is sent from. */
  readonly wayBack: { readonly slot: SlotState; readonly waitingFor: string | null };
  readonly arrived: { readonly seal: string; readonly positions: Positions; readonly lsn: string } | null;
}

/** What a cluster's leader did for a stream, written by its agent under its authority. */
export type MoveReport = {
  readonly operation: string;
  readonly stream: number;
  readonly cluster: string;
  readonly member: string;
  readonly term: number;
  readonly attempt: number;
  readonly leg: number;
  /** The phase that it has acted on. */
  readonly phase: MovePhase;
  /** Nothing of this stream is left in this Postgres (rows of the other one included). */
  readonly clean: boolean;
  readonly problem: string | null;
  readonly at: string;
} & (OwnerMoveReport | OtherMoveReport);

/** The most shards of one stream: a flip is one etcd transaction. */
export const STREAM_SHARDS_MAX = 30;

/** The name of a leg's publication, slot and subscription. `term`: of the receiver, whose change ends the leg. */
export function legName(
  { operation, stream, attempt }: Pick<MoveRecord, 'operation' | 'stream' | 'attempt'>,
  leg: number,
  term: number,
): string {
  return `${streamPrefix({ operation, stream })}a${attempt}_l${leg}_t${term}`;
}

/** What the names of all objects of a stream begin with. */
export const streamPrefix = ({ operation, stream }: Pick<MoveRecord, 'operation' | 'stream'>): string =>
  `${MOVE_OBJECTS}${operation.replace(/^rebalance-/, '').replaceAll(/[^a-z0-9]/g, '')}_${stream}_`;

/** What the names of all objects that any move made begin with. */
export const MOVE_OBJECTS = 'capstan_';

export const otherOf = ({ from, to, owner }: Pick<MoveRecord, 'from' | 'to' | 'owner'>): string =>
  owner === from ? to : from;
