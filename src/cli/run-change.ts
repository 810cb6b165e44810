import type { OperationRecord } from '../domain/operation-records.ts';
import type { CapstanError } from '../domain/errors.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { Estate } from './estate.ts';
import { resumeInBackground, type Watching, watchOperation } from './operation-runner.ts';
import type { Output } from './output.ts';
import { detailOperation, operationSections } from './present/operation.ts';
import { confirmByName, confirmYes } from './prompt.ts';
import { type Section, text } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { OperationDetail } from './schemas/operation.ts';

/** What every change of a cluster takes; src/cli/flags.ts, `changeFlags`. */
export interface ChangeFlags {
  readonly 'dry-run': boolean;
  readonly plan?: string | undefined;
  readonly confirm?: string | undefined;
  /** Of a change of low risk, instead of `confirm`. */
  readonly yes?: boolean;
  readonly reason?: string | undefined;
  readonly wait: boolean;
  readonly timeout?: number | undefined;
  readonly 'no-color': boolean;
}

/** What a change is carried out with. */
export interface ChangeMeans<F extends ChangeFlags = ChangeFlags> {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly flags: F;
  readonly output: Output;
  readonly interactive: boolean;
  readonly signal: AbortSignal;
}

export interface ChangeParts {
  readonly changed: boolean;
  readonly dryRun: boolean;
  readonly operation: OperationDetail | null;
}

export interface ChangeOrder extends Watching {
  readonly planHash: string;
  readonly actor: string;
  readonly reason: string | undefined;
}

/** One change: its plan, how it is shown, and how it is run. */
export interface Change<D> {
  readonly kind: string;
  readonly cluster: string;
  /** In progress lines, such as `failover c1`. */
  readonly subject: string;
  /** What the person is asked to approve. */
  readonly question: string;
  /** Approved by a yes, and not by a name. */
  readonly lowRisk?: boolean;
  readonly planHash: string;
  readonly refusal: CapstanError | undefined;
  /** Set when it is so already: nothing is asked for or run, and this is what `-o name` prints. */
  readonly alreadySo: string | undefined;
  readonly planSections: () => Section[];
  readonly run: (
    order: ChangeOrder,
  ) => Promise<{ readonly changed: boolean; readonly operation: OperationRecord | null }>;
  readonly dataOf: (parts: ChangeParts) => D;
  /** Above the operation's own sections, or alone where nothing was run. */
  readonly outcome: (data: D) => Section[];
  readonly warnings?: (data: D) => string[];
}

/** Plan, show, confirm, run, verify. What is refused before the confirmation was asked for nothing. */
export async function runChange<D>(means: ChangeMeans, change: Change<D>): Promise<CommandResult> {
  const { flags, output, interactive } = means;
  const { kind, cluster, refusal, alreadySo } = change;
  if (flags['dry-run']) {
    return {
      kind,
      data: change.dataOf({ changed: false, dryRun: true, operation: null }),
      names: [change.planHash],
      view: change.planSections,
      ...(refusal === undefined ? {} : { error: refusal }),
    };
  }
  if (alreadySo !== undefined) return finished(change, alreadySo, { changed: false, operation: null });
  await output.preview(change.planSections());
  // Where it is approved already the refusal comes from the run itself, which audits it.
  const approved = change.lowRisk === true ? flags.yes === true : flags.confirm !== undefined;
  if (refusal !== undefined && !approved) throw refusal;
  const asking = { interactive, action: change.question };
  await (change.lowRisk === true
    ? confirmYes({ ...asking, yes: flags.yes === true })
    : confirmByName({ ...asking, name: cluster, confirm: flags.confirm }));
  const { currentActor } = await import('../controlplane/actor.ts');
  const watched = await watchOperation(
    {
      subject: change.subject,
      timeoutMs: flags.timeout,
      wait: flags.wait,
      noColor: flags['no-color'],
      interrupted: means.signal,
    },
    (watching) =>
      change.run({
        ...watching,
        planHash: flags.plan ?? change.planHash,
        actor: currentActor(),
        reason: flags.reason,
      }),
  );
  if (watched.kind === 'left') return leftRunning(means, change, watched.operation);
  const { changed, operation } = watched.result;
  const name = operation === null ? cluster : `operation/${operation.id}`;
  return finished(change, name, {
    changed,
    operation: operation === null ? null : detailOperation(operation),
  });
}

function finished<D>(
  change: Change<D>,
  name: string,
  parts: Pick<ChangeParts, 'changed' | 'operation'>,
): CommandResult {
  const data = change.dataOf({ ...parts, dryRun: false });
  const { operation } = parts;
  return {
    kind: change.kind,
    data,
    names: [name],
    warnings: change.warnings?.(data) ?? [],
    view: () => [...change.outcome(data), ...(operation === null ? [] : operationSections(operation))],
  };
}

async function leftRunning<D>(
  { etcd, estate }: ChangeMeans,
  change: Change<D>,
  id: string,
): Promise<CommandResult> {
  resumeInBackground(id, estate.location.path);
  const { readOperation } = await import('../controlplane/operation/journal.ts');
  const record = await readOperation({ etcd, keys: estate.keys, id }).catch(() => undefined);
  const operation = record === undefined ? null : detailOperation(record.value);
  return {
    kind: change.kind,
    data: change.dataOf({ changed: true, dryRun: false, operation }),
    warnings:
      operation === null ? [`operation ${id} goes on in the background; its journal can’t be read now`] : [],
    names: [`operation/${id}`],
    view: () => [text(`operation ${id} goes on in the background: capstan operation show ${id} --watch`)],
  };
}
