import { usageError } from '../domain/errors.ts';

export interface Drill {
  readonly name: string;
  /** What the drill can show to be false, in words. */
  readonly promise: string;
  /** Of the design's table: `I1` to `I12`. */
  readonly invariants: readonly string[];
  /** Names of FAULTS, in no order: the seed draws when each comes. */
  readonly faults: readonly string[];
  readonly durationMs: number;
  readonly ratePerSecond: number;
  /** So many of its faults one after another, each once the former is healed; null: each of them once, in windows that may overlap. */
  readonly rounds: number | null;
}

/** What every drill judges: limits held, one outcome a token, dense and honest positions. */
const ALWAYS = ['I3', 'I4'] as const;

const drill = (
  name: string,
  promise: string,
  parts: Pick<Drill, 'invariants' | 'faults'> &
    Partial<Pick<Drill, 'durationMs' | 'ratePerSecond' | 'rounds'>>,
): Drill => ({
  name,
  promise,
  durationMs: parts.durationMs ?? 30_000,
  ratePerSecond: parts.ratePerSecond ?? 200,
  rounds: parts.rounds ?? null,
  faults: parts.faults,
  invariants: [...ALWAYS, ...parts.invariants].toSorted((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
});

/** Every drill, by what it may break. */
export const DRILLS: readonly Drill[] = [
  drill('races', 'Desks in two regions that race for the same headroom never get more than there is.', {
    invariants: [],
    faults: [],
    durationMs: 20_000,
  }),
  drill(
    'leader-kill',
    'A leader that dies takes no confirmed decision with it, and its successor goes on from all of them.',
    {
      invariants: ['I1', 'I2', 'I6'],
      faults: ['kill-leader', 'kill-leader-failover'],
    },
  ),
  drill(
    'leader-pause',
    'A leader that wakes up after its right has ended, or lives on and can’t write, confirms nothing.',
    {
      invariants: ['I1', 'I5', 'I6'],
      faults: ['pause-leader', 'pause-leader-failover', 'full-disk-failover'],
    },
  ),
  drill(
    'lost-replies',
    'Whatever becomes of an answer, its token has one outcome, and a retry reserves nothing twice.',
    {
      invariants: ['I2'],
      faults: ['drop-replies', 'cut-leader-replies', 'half-open'],
    },
  ),
  drill(
    'follower-pause',
    'Nothing is reported that only the leader holds, also when a wait for the follower is cancelled.',
    {
      invariants: ['I2', 'I6', 'I7'],
      faults: ['pause-follower', 'cancel-commit', 'kill-leader-ahead'],
    },
  ),
  drill(
    'etcd-faults',
    'Without etcd rights run out and nothing is decided; no change of its leader gives two members a right.',
    {
      invariants: ['I1', 'I5'],
      faults: ['kill-etcd', 'pause-etcd', 'etcd-leader', 'etcd-quorum'],
      durationMs: 45_000,
    },
  ),
  drill('partition', 'A cut or slow link between regions costs availability at most, never a decision.', {
    invariants: ['I1', 'I2', 'I5'],
    faults: ['cut-link', 'cut-link-one-way', 'slow-link'],
  }),
  drill('process-kills', 'Any process may be killed or stopped in the middle of its work.', {
    invariants: ['I1', 'I2', 'I5'],
    faults: [
      'kill-gateway',
      'pause-gateway',
      'kill-agent',
      'pause-agent',
      'kill-backend',
      'kill-postgres',
      'kill-follower',
    ],
    durationMs: 45_000,
  }),
  drill('stale-route', 'A gateway with an old view of the authority decides nothing under it.', {
    invariants: ['I1', 'I5'],
    faults: ['fence-abort', 'stale-gateway'],
  }),
  drill(
    'coordinator-kill',
    'A failover whose coordinator dies at any step is finished by another from where it stands.',
    {
      invariants: ['I1', 'I6'],
      faults: ['kill-cli'],
    },
  ),
  drill(
    'failovers',
    'However many failovers follow one another, none takes a confirmed decision with it or leaves two authorities.',
    {
      invariants: ['I1', 'I2', 'I5', 'I6'],
      faults: [
        'kill-leader-failover',
        'pause-leader-failover',
        'full-disk-failover',
        'kill-leader-ahead',
        'cut-leader-etcd',
        'cut-leader-etcd-one-way',
        'cut-leader-follower',
        'cut-leader-follower-one-way',
      ],
      rounds: 20,
      ratePerSecond: 100,
    },
  ),
  drill(
    'regional',
    'A region that is cut off stops by itself, its cluster goes on in the other one, and what that loses is bounded before and named after.',
    {
      invariants: ['I1', 'I2', 'I5', 'I6', 'I7'],
      faults: ['lose-region', 'lose-region-late'],
      rounds: 2,
      ratePerSecond: 60,
    },
  ),
  drill(
    'switchover',
    'A leader hands over and gets back, or keeps what it can’t hand over: nothing is lost, and callers wait for a moment at most.',
    {
      invariants: ['I1', 'I2', 'I5', 'I6'],
      faults: ['switch-over', 'switch-over-stopped'],
      rounds: 6,
      ratePerSecond: 100,
    },
  ),
  drill(
    'membership',
    'Members are removed, added, promoted and rejoined under load, and nothing that was confirmed goes with them.',
    {
      invariants: ['I1', 'I2', 'I6', 'I9'],
      faults: ['change-observer', 'change-voter', 'kill-leader-failover'],
      rounds: 6,
      ratePerSecond: 100,
    },
  ),
  drill(
    'rebalance',
    'Shards move between clusters and back, whatever dies meanwhile: one owner at a time, and all that was confirmed goes along.',
    {
      invariants: ['I1', 'I2', 'I5', 'I6', 'I8'],
      faults: [
        'move-there-and-back',
        'move-kill-leader',
        'move-kill-cli',
        'move-cut-link',
        'move-pause-etcd',
      ],
      rounds: 10,
      ratePerSecond: 100,
    },
  ),
  drill('clock-step', 'A wall clock that jumps lengthens no right to decide.', {
    invariants: ['I1', 'I5'],
    faults: ['clock-step'],
  }),
];

/** The drill of this name. Throws CapstanError `drill_unknown` (exit 2) that lists the names. */
export function drillNamed(name: string): Drill {
  const found = DRILLS.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw usageError(`there is no drill ${JSON.stringify(name)}`, {
    code: 'drill_unknown',
    next: `drills: ${DRILLS.map((one) => one.name).join(', ')}`,
  });
}
