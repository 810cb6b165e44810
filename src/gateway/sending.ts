/**
 * What became of a batch. `again`: those of its commands that the sender left unsent, or marked so because they provably
 * had no effect, are to be sent again. All others it has settled, or settles later.
 */
export type SendResult = { readonly kind: 'done' } | { readonly kind: 'again'; readonly when: Promise<void> };

/** The right to have one batch under way. */
export interface Permit {
  /** The most commands that it is for; absent: as many as a batch takes. */
  readonly commandsMax?: number;
  /** A command with less of its time left is answered as at its deadline; absent: each is sent. */
  readonly timeLeftMinMs?: number;
  /** `used`: how many commands were in the batch. */
  release(used: number): void;
}
