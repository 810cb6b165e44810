/**
 * What became of a batch. `again`: those of its commands that the sender left unsent, or marked so because they provably
 * had no effect, are to be sent again. All others it has settled, or settles later.
 */
export type SendResult = { readonly kind: 'done' } | { readonly kind: 'again'; readonly when: Promise<void> };

export interface Permit {
  release(): void;
}
