import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** How much was done to show the claim; `npm run prove` puts it into docs/evidence.md. */
    scale?: string;
  }
}

/** `npm run prove` runs the battery at full size; `npm test` a smaller one of the same. */
export const FULL = process.env['CAPSTAN_PROVE'] === '1';

/** What a test uses: much when proving, less otherwise. */
export const sized = <T>(size: { readonly full: T; readonly quick: T }): T => (FULL ? size.full : size.quick);

/** Prints the scale of what was shown and keeps it with the result. */
export function report({ task }: TestContext, scale: string): void {
  task.meta.scale = task.meta.scale === undefined ? scale : `${task.meta.scale}; ${scale}`;
  process.stdout.write(`  ${task.name}: ${scale}\n`);
}

/**
 * All cases when proving; otherwise those that must always be shown and every so manieth of the rest, and what they are is printed.
 * A number that has no divisor in common with how the cases are laid out comes to every kind of them.
 */
export function sampled<T>(
  what: string,
  cases: readonly T[],
  about: { readonly every: number; readonly always: (one: T) => boolean; readonly name: (one: T) => string },
): readonly T[] {
  const rest = cases.filter((one) => !about.always(one));
  const some = new Set(rest.filter((_, index) => index % about.every === Math.floor(about.every / 2)));
  const chosen = sized({
    full: cases,
    quick: cases.filter((one) => about.always(one) || some.has(one)),
  });
  process.stdout.write(
    `  ${what}: ${chosen.length} of ${cases.length} cases: ${chosen.map(about.name).join(', ')}\n`,
  );
  return chosen;
}

/** As `sampled`, of the faults at a coordinator's writes: always those at its point of no return. */
export const sampledFaults = <T extends { readonly write: number; readonly fault: string }>(
  what: string,
  cases: readonly T[],
  pointOfNoReturn: number,
): readonly T[] =>
  sampled(what, cases, {
    // Writes have 2, 3 or 4 faults each.
    every: 5,
    always: ({ write }) => write === pointOfNoReturn,
    name: ({ write, fault }) => `${write} ${fault}`,
  });
