import type { z } from 'zod';
import { fieldInvalid } from './problem.ts';

/** Checks with a schema; throws ProblemError `field_invalid` for the first field at fault (`name` for a bare value). */
export function validated<S extends z.ZodType>(schema: S, value: unknown, name = '(body)'): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw fieldInvalid(name, 'is wrong');
  if (issue.code === 'unrecognized_keys') {
    throw fieldInvalid(issue.keys[0] ?? name, 'is not a field of this request');
  }
  throw fieldInvalid(issue.path.join('.') || name, issue.message);
}
