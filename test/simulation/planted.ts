import type { Keys } from '../../src/controlplane/keys.ts';
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
] as const;

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
