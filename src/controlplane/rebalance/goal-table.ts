import type { MoveGoalKind, MovePhase, MoveRecord } from '../../domain/move-records.ts';

/**
 * What a goal makes of a stream in a phase.
 * - `so`: it is as it was asked for. `wait`: something else comes first, and comes by itself.
 * - `begin`, `recopy`, `clean`: the transition of that name.
 * - `verified`: so once its rows were compared. `verify`: compared anew, once since the goal was asked for.
 * - `cutover`: verified already, or refused. `verify-cutover`: verified first where it isn't.
 * - `early`: refused, it doesn't follow. `decided`: refused, it was handed over. `ending`: refused, it is being cleaned.
 */
export type GoalVerdict =
  | 'so'
  | 'wait'
  | 'begin'
  | 'recopy'
  | 'clean'
  | 'verified'
  | 'verify'
  | 'cutover'
  | 'verify-cutover'
  | 'early'
  | 'decided'
  | 'ending';

type Verdicts = Readonly<Record<MovePhase, GoalVerdict>>;
type GoalTable = Readonly<Record<MoveGoalKind, Verdicts>>;

const ENDING = { seal: 'wait', turn: 'wait', clean: 'ending', done: 'ending' } as const;
const LEAVE = { seal: 'wait', turn: 'wait', clean: 'wait', done: 'so' } as const;
const STAYS: Verdicts = {
  queued: 'so',
  copy: 'so',
  follow: 'so',
  seal: 'wait',
  turn: 'wait',
  parted: 'so',
  clean: 'ending',
  done: 'ending',
};

/** While `from` owns the shards. */
const HOME: GoalTable = {
  copy: { ...ENDING, queued: 'begin', copy: 'wait', follow: 'verified', parted: 'recopy' },
  verify: { ...ENDING, queued: 'early', copy: 'early', follow: 'verify', parted: 'early' },
  cutover: { ...ENDING, queued: 'early', copy: 'early', follow: 'cutover', parted: 'early' },
  reverse: STAYS,
  complete: { ...LEAVE, queued: 'clean', copy: 'clean', follow: 'clean', parted: 'clean' },
  cancel: { ...LEAVE, queued: 'clean', copy: 'clean', follow: 'clean', parted: 'clean' },
};

/** While `to` owns them. */
const AWAY: GoalTable = {
  copy: STAYS,
  verify: { ...ENDING, queued: 'early', copy: 'early', follow: 'verify', parted: 'early' },
  cutover: STAYS,
  reverse: { ...ENDING, queued: 'wait', copy: 'wait', follow: 'verify-cutover', parted: 'recopy' },
  complete: { ...LEAVE, queued: 'clean', copy: 'clean', follow: 'clean', parted: 'clean' },
  cancel: {
    queued: 'decided',
    copy: 'decided',
    follow: 'decided',
    seal: 'wait',
    turn: 'decided',
    parted: 'decided',
    // What was cleaned before anybody asked is left to end.
    clean: 'decided',
    done: 'so',
  },
};

export const goalVerdict = (
  { owner, from, phase }: Pick<MoveRecord, 'owner' | 'from' | 'phase'>,
  goal: MoveGoalKind,
): GoalVerdict => (owner === from ? HOME : AWAY)[goal][phase];
