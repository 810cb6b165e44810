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
] as const;

export type Planted = (typeof PLANTS)[number] | undefined;
