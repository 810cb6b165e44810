import { assertNever } from '../../domain/errors.ts';
import type { NextStep } from './next-step.ts';

/** What comes next for a stream, for people. */
export function stepWords(step: NextStep): string {
  switch (step.kind) {
    case 'so':
      return 'nothing: it is so already';
    case 'wait':
      return `waits for ${step.for}`;
    case 'transition':
      return step.why;
    case 'verify':
      return 'compares the rows of both sides';
    case 'cutover':
      return 'seals, waits for the rest, hands over';
    case 'unseal':
      return 'backs out a cutover that nobody drives any more';
    case 'end':
      return 'ends: nothing of it is left';
    case 'refused':
      return `refused: ${step.refusal.message}`;
    default:
      return assertNever(step);
  }
}
