import { refusalOf, type Refusal } from '../../controlplane/operation/refusal.ts';
import { type CapstanError, refusedError } from '../../domain/errors.ts';
import { type Section, text } from '../render/section.ts';

type Overridable = Refusal & { readonly override?: string | null };

/** The refusal that a run of this plan would meet; undefined: it may run. */
export function planRefusal({
  refusals,
  hash,
}: {
  readonly refusals: readonly Overridable[];
  readonly hash: string;
}): CapstanError | undefined {
  const refusal = refusalOf(refusals);
  if (refusal === undefined) return undefined;
  const { code, message, next } = refusal;
  return refusedError(message, { code, next, data: { refusals, planHash: hash } });
}

/** Everything that stands against a run, with the flag that accepts it where there is one. */
export const refusalLines = (refusals: readonly Overridable[]): Section[] =>
  refusals.map(({ message, override = null }) =>
    text(`refused: ${message}${override === null ? '' : ` (${override} accepts it)`}`),
  );
