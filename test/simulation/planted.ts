import type { Keys } from '../../src/controlplane/keys.ts';
import type { MoveRecord } from '../../src/domain/move-records.ts';
import type { SentTransaction } from './sim-etcd-client.ts';

/** Faults that can be planted in a simulated world, to see that its invariants catch them. */
export const PLANTS = [
  /** A renewal that asks nothing of the authority. */
  'renews-without-the-authority',
  /** The right is counted from the reply, by a clock that stands still while the agent is stopped. */
  'counts-from-the-reply',
  'decides-without-the-term',
  'answers-before-the-follower',
  /** A follower reports that it is frozen while it still receives. */
  'freezes-while-receiving',
  /** A coordinator's write doesn't ask whether the operation is still its own. */
  'journals-without-the-revision',
  /**
   * No bug of ours but a known limit (src/agent/SPEC.md): in Postgres's quorum a follower counts twice while its old
   * connection isn't known to be gone. Elsewhere a new connection replaces the old one.
   */
  'counts-a-follower-twice',
  /** A caller takes any reply for the answer, however late it comes. */
  'believes-a-late-reply',
  /** An automatic fence doesn't ask whether somebody has paused the cluster meanwhile. */
  'fences-past-a-pause',
  /** An automatic fence doesn't ask whether the lease that it saw lapse was renewed meanwhile. */
  'fences-past-a-renewal',
  /** An automatic fence doesn't add itself to the tally. */
  'forgets-to-count',
  /** A leader that drains gives the cluster back without asking whether it is still its own. */
  'gives-back-what-is-gone',
  /** A failover to another region decides, and doesn't record what may be lost. */
  'forgets-the-loss',
  /** A coordinator's clock runs ten times as fast: it believes too early that a lease is waited out. */
  'waits-by-a-fast-clock',
  /** A leader records whom it counts on without asking who may vote by now. */
  'counts-on-whom-it-likes',
  /** What is applied for a move waits for no follower, and the seal is said to have arrived without asking one. */
  'flips-before-the-followers',
  /** The same, and a leader opens a shard although it lacks the position at which it was handed over. */
  'opens-below-the-handover',
  /** A coordinator that heard nothing of its flip reads what was so before it, and backs out without asking what became of the seal. */
  'backs-out-after-the-flip',
  /** An agent that undoes a seal at its deadline doesn't ask whether it still stands. */
  'unseals-without-the-phase',
  /** Nobody undoes a seal but its coordinator. */
  'leaves-the-seal-standing',
  /** A flip doesn't ask whether both clusters are still under the terms of its leg. */
  'flips-under-another-term',
  /** Whose rows go is judged by the owners of before the move, and Postgres doesn't ask either. */
  'wipes-by-an-old-map',
] as const;

/** Whether a move counts on rows that no follower may have. */
export const asksNoFollower = (planted: Planted): boolean =>
  planted === 'flips-before-the-followers' || planted === 'opens-below-the-handover';

export type Planted = (typeof PLANTS)[number] | undefined;

interface Sending {
  readonly keys: Keys;
  readonly cluster: string;
  readonly sent: SentTransaction;
}

type Alteration = (sending: Sending) => SentTransaction;

const without =
  (which: (keys: Keys, cluster: string) => string): Alteration =>
  ({ keys, cluster, sent }) => ({
    ...sent,
    compares: sent.compares.filter(({ key }) => key !== which(keys, cluster)),
  });

/** Only of transactions that write that key. */
const where =
  (which: (keys: Keys, cluster: string) => string, alter: Alteration): Alteration =>
  (sending) => {
    const { keys, cluster, sent } = sending;
    return sent.writes.some(({ key }) => key === which(keys, cluster)) ? alter(sending) : sent;
  };

/** Of transactions that take a stream there; `agent`: those of agents, or of coordinators. */
const entering =
  (phase: MoveRecord['phase'], agent: boolean, alter: Alteration): Alteration =>
  (sending) => {
    const { keys, sent } = sending;
    const enters = sent.writes.some(
      (write) =>
        write.kind === 'put' &&
        write.key.startsWith(keys.moves) &&
        (JSON.parse(write.value) as MoveRecord).phase === phase,
    );
    const touchesMap = sent.writes.some(({ key }) => key === keys.map);
    const byAgent = !sent.compares.some(({ key }) => key.startsWith(keys.operations));
    return enters && touchesMap && byAgent === agent ? alter(sending) : sent;
  };

const comparing =
  (which: (key: string, keys: Keys) => boolean): Alteration =>
  ({ keys, sent }) => ({ ...sent, compares: sent.compares.filter(({ key }) => which(key, keys)) });

const tally = (keys: Keys, cluster: string): string => keys.automaticTally(cluster);

const ALTERATIONS: Readonly<Partial<Record<NonNullable<Planted>, Alteration>>> = {
  'renews-without-the-authority': where(
    (keys, cluster) => keys.lease(cluster),
    ({ sent }) => ({ ...sent, compares: [] }),
  ),
  'journals-without-the-revision': ({ keys, sent }) => ({
    ...sent,
    compares: sent.compares.filter(
      ({ key, modRevision }) => !key.startsWith(keys.operations) || modRevision === '0',
    ),
  }),
  'fences-past-a-pause': where(
    tally,
    without((keys, cluster) => keys.automaticPause(cluster)),
  ),
  'fences-past-a-renewal': where(
    tally,
    without((keys, cluster) => keys.lease(cluster)),
  ),
  'forgets-the-loss': ({ keys, cluster, sent }) => ({
    ...sent,
    writes: sent.writes.filter(({ key }) => !key.startsWith(keys.losses(cluster))),
  }),
  'counts-on-whom-it-likes': where(
    (keys, cluster) => keys.inSync(cluster),
    without((keys, cluster) => keys.membership(cluster)),
  ),
  // By its own report, which nobody else writes.
  'gives-back-what-is-gone': where(
    (keys, cluster) => keys.handoverReport(cluster),
    without((keys, cluster) => keys.authority(cluster)),
  ),
  'backs-out-after-the-flip': entering(
    'follow',
    false,
    comparing((key, keys) => key.startsWith(keys.operations)),
  ),
  'unseals-without-the-phase': entering(
    'follow',
    true,
    comparing((key, keys) => key.startsWith(keys.clusters)),
  ),
  'leaves-the-seal-standing': entering('follow', true, ({ keys, sent }) => ({
    ...sent,
    compares: [...sent.compares, { key: keys.map, modRevision: '0' }],
  })),
  'flips-under-another-term': entering(
    'turn',
    false,
    comparing((key, keys) => !key.startsWith(keys.clusters)),
  ),
  'forgets-to-count': where(tally, ({ keys, cluster, sent }) => ({
    ...sent,
    writes: sent.writes.filter(({ key }) => key !== keys.automaticTally(cluster)),
  })),
};

/** What a process that has the planted bug sends instead. */
export function alterTransaction(planted: Planted, sending: Sending): SentTransaction {
  const alter = planted === undefined ? undefined : ALTERATIONS[planted];
  return alter === undefined ? sending.sent : alter(sending);
}
