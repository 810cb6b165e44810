import type { InForce } from '../types.ts';

type Undo = () => Promise<void>;

/** A fault that is undone step by step; a step that fails leaves the later ones for the next call. */
export const inForce = (
  target: string,
  detail: Readonly<Record<string, unknown>>,
  ...undo: readonly Undo[]
): InForce => ({
  target,
  detail,
  heal: async () => {
    for (const step of undo) await step();
  },
});

/** What was begun is undone when the rest fails; whatever that leaves, the healing at the end finds. */
export async function orUndo<T>(attempt: () => Promise<T>, ...undo: readonly Undo[]): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    for (const step of undo) await step().catch(() => undefined);
    throw error;
  }
}
