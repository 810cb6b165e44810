/** A commit of the owner's takes this long at the median: what is copied from it costs its callers too much. */
export const COMMIT_MS_MAX = 250;
/** It goes on below this. */
export const COMMIT_MS_AGAIN = 150;

export interface HoldBackSight {
  readonly paused: boolean;
  /** Null: not known, which is no reason: an owner that says nothing isn't followed by its own choice. */
  readonly ownerCommitMs: number | null;
  /** Whether this cluster's lag is bounded by proof; true where it has no remote follower to lag. */
  readonly claimStands: boolean;
  /** Whether it is held back already. */
  readonly holds: boolean;
}

/** Why nothing should be applied right now; null: go on. Pure, with hysteresis. */
export function holdBack({ paused, ownerCommitMs, claimStands, holds }: HoldBackSight): string | null {
  if (paused) return 'paused by a person';
  if (!claimStands) return 'the remote follower of the receiving cluster is behind';
  const bound = holds ? COMMIT_MS_AGAIN : COMMIT_MS_MAX;
  return ownerCommitMs !== null && ownerCommitMs > bound
    ? `a commit takes ${Math.round(ownerCommitMs)} ms at the owner`
    : null;
}
