import type { MovePhase, MoveRecord } from '../../domain/move-records.ts';

/** What can happen to a stream (SPEC.md, "Phases of a stream"). */
export type MoveEvent =
  | 'begin'
  | 'ready'
  | 'noted'
  | 'cutover'
  | 'flip'
  | 'back-out'
  | 'lost'
  | 'turned'
  | 'recopy'
  | 'clean'
  | 'cleaned';

type Next = Readonly<Record<MoveEvent, MovePhase | null>>;

const NOTHING: Next = {
  begin: null,
  ready: null,
  noted: null,
  cutover: null,
  flip: null,
  'back-out': null,
  lost: null,
  turned: null,
  recopy: null,
  clean: null,
  cleaned: null,
};

/** Every phase's answer to every event; null: it isn't accepted there. `noted` changes what is known, and no phase. */
export const MOVE_TRANSITIONS: Readonly<Record<MovePhase, Next>> = {
  queued: { ...NOTHING, noted: 'queued', begin: 'copy', clean: 'clean' },
  copy: { ...NOTHING, noted: 'copy', ready: 'follow', lost: 'copy', clean: 'clean' },
  // Where it never flipped, `lost` copies anew: see `afterLoss`.
  follow: { ...NOTHING, noted: 'follow', cutover: 'seal', lost: 'parted', clean: 'clean' },
  // The unseal comes first, whatever was lost; what follows is judged from `follow`.
  seal: { ...NOTHING, flip: 'turn', 'back-out': 'follow' },
  turn: { ...NOTHING, noted: 'turn', turned: 'follow', lost: 'parted', clean: 'clean' },
  parted: { ...NOTHING, noted: 'parted', recopy: 'copy', clean: 'clean' },
  clean: { ...NOTHING, noted: 'clean', cleaned: 'done' },
  done: NOTHING,
};

export const accepts = (record: Pick<MoveRecord, 'phase'>, event: MoveEvent): boolean =>
  MOVE_TRANSITIONS[record.phase][event] !== null;

/** What may change beside the phase. */
export type MovePatch = Partial<
  Pick<
    MoveRecord,
    'owner' | 'terms' | 'paused' | 'cursor' | 'verification' | 'differences' | 'seal' | 'handover' | 'error'
  >
>;

/**
 * The stream after an event. Pure. Throws a plain Error (a bug) where the table doesn't accept it. A new copy raises the
 * attempt, a flip the leg; both, and whatever ends a leg, take the verification back.
 */
export function nextMove(
  record: MoveRecord,
  event: MoveEvent,
  at: string,
  patch: MovePatch = {},
): MoveRecord {
  const listed = MOVE_TRANSITIONS[record.phase][event];
  if (listed === null)
    throw new Error(
      `stream ${record.operation}/${record.stream} in phase ${record.phase} can't take ${event}`,
    );
  const phase = event === 'lost' ? afterLoss(record, listed) : listed;
  const copies = phase === 'copy' && event !== 'noted';
  return {
    ...record,
    ...(copies || phase === 'parted' || phase === 'turn' || phase === 'clean'
      ? { cursor: null, verification: null, differences: [] }
      : {}),
    ...(phase === 'seal' ? {} : { seal: null }),
    ...patch,
    phase,
    attempt: copies ? record.attempt + 1 : record.attempt,
    leg: event === 'flip' ? record.leg + 1 : record.leg,
    since: phase === record.phase && !copies ? record.since : at,
    updatedAt: at,
  };
}

/**
 * A second copy is made by itself only where the operation still asks for the first: rows that came back are worth no less.
 * Out of a turn it never is: nobody has seen yet that the new owner holds them, and a copy begins with a wipe of the old one's.
 */
const afterLoss = ({ phase, owner, from }: MoveRecord, listed: MovePhase): MovePhase =>
  phase === 'follow' && owner === from ? 'copy' : listed;
