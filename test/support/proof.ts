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
