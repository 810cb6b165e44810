import type { CapstanError } from '../domain/errors.ts';
import type { Section } from './render/section.ts';

/** What a command hands to its base: the base alone decides what reaches which stream, in which form. */
export interface CommandResult {
  /** The envelope's kind, such as `MapRoute`; names the published JSON Schema. */
  readonly kind: string;
  /** Plain data; bigints become strings. Changes carry their own `changed: boolean`. */
  readonly data: unknown;
  readonly warnings?: readonly string[];
  /** For people: `-o table`, or `-o wide` where `wide` is true. */
  readonly view: (options: { readonly wide: boolean }) => readonly Section[];
  /** For `-o name`: one identifier a line, such as `cluster/c1`. */
  readonly names?: readonly string[];
  /** A result that is itself bad news (evaluated and not ready): the data is shown, and this decides the status. */
  readonly error?: CapstanError;
}
