import type { OperationKind } from '../domain/records.ts';
import { abortFailover, type ControlFailoverOptions, resumeFailover } from './failover/resume.ts';
import type { FailoverResult } from './failover/run.ts';
import { readOperation } from './operation-journal.ts';

interface OperationControl {
  readonly resume: typeof resumeFailover;
  readonly abort: typeof abortFailover;
}

const CONTROLS: Readonly<Record<OperationKind, OperationControl>> = {
  failover: { resume: resumeFailover, abort: abortFailover },
};

/**
 * Carries any operation on from where its journal says it is, after taking it over. `changed: false`: it was finished
 * already. Throws `operation_not_found` (exit 4) and what the operation's kind throws.
 */
export async function resumeOperation(options: ControlFailoverOptions): Promise<FailoverResult> {
  const { value } = await readOperation(options);
  return CONTROLS[value.kind].resume(options);
}

/** Gives any operation up, where its kind still allows that. */
export async function abortOperation(
  options: ControlFailoverOptions & { readonly reason?: string | undefined },
): Promise<FailoverResult> {
  const { value } = await readOperation(options);
  return CONTROLS[value.kind].abort(options);
}
