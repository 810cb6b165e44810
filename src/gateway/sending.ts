/** What became of a batch: settled by the sender (now or later), or provably without effect and to be sent again. */
export type SendResult<A> =
  | { readonly kind: 'done' }
  /** `answer`: what callers are told whose deadline passes before it is sent again. */
  | { readonly kind: 'again'; readonly when: Promise<void>; readonly answer: A };

export interface Permit {
  release(): void;
}
