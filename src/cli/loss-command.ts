import { CapstanError, ExitCode, refusedError } from '../domain/errors.ts';
import type { LostDecision } from '../domain/loss-records.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { Replayed } from '../gateway/loss-replay.ts';
import type { Estate } from './estate.ts';
import type { Output } from './output.ts';
import { entriesSection, lostEntry } from './present/loss.ts';
import { confirmByName } from './prompt.ts';
import type { LossReplayData } from './schemas/loss.ts';
import { withAuthorities } from './token-command.ts';

export interface ReplayOptions {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly operation: string;
  readonly tokens: readonly string[];
  readonly confirm: string | undefined;
  readonly deadlineMs: number;
  readonly interactive: boolean;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Shows what is sent again, asks, audits the intent, sends one after the other, and audits what came of it. */
export async function replayCommand(
  options: ReplayOptions,
): Promise<{ readonly data: LossReplayData; readonly error: CapstanError | undefined }> {
  const { etcd, estate, operation, deadlineMs, interactive, output, signal, confirm } = options;
  const { keys } = estate;
  const [{ findLoss }, { readReport }, { replayLost }, { appendAudit }, { currentActor }] = await Promise.all(
    [
      import('../controlplane/loss/find.ts'),
      import('../controlplane/loss/report.ts'),
      import('../gateway/loss-replay.ts'),
      import('../controlplane/audit.ts'),
      import('../controlplane/actor.ts'),
    ],
  );
  const { value: record } = await findLoss(etcd, keys, operation);
  if (record.status !== 'signed-off') {
    throw refusedError(`the loss of ${operation} is not signed off: what is lost is not known for certain`, {
      code: 'loss_open',
      next: `capstan loss sign-off ${operation}`,
    });
  }
  const chosen = choose(await readReport(etcd, keys, operation), options);
  await output.preview([entriesSection(chosen.map(lostEntry), 'sent again, each decided anew')]);
  const action = `send ${chosen.length} lost decisions of ${record.cluster} again`;
  await confirmByName({ interactive, action, name: record.cluster, confirm });
  const entry = { actor: currentActor(), action: 'loss.replay', target: record.cluster, operation };
  const before = { tokens: chosen.map(({ token }) => token) };
  await appendAudit(etcd, keys, {
    ...entry,
    before,
    outcome: 'unknown',
    reason: 'asked for; the result follows',
  });
  const outcomes: Replayed[] = [];
  await withAuthorities({ etcd, estate }, async (asking) => {
    for (const lost of chosen) {
      if (signal.aborted) break;
      outcomes.push(await replayLost(asking, lost, deadlineMs));
    }
  });
  const left = chosen.length - outcomes.filter(({ now }) => now !== 'unknown').length;
  const after = { outcomes: outcomes.map(({ token, now, commitToken }) => ({ token, now, commitToken })) };
  await appendAudit(etcd, keys, { ...entry, before, after, outcome: left === 0 ? 'done' : 'unknown' });
  return {
    data: {
      changed: outcomes.some(({ commitToken, replayed }) => commitToken !== null && !replayed),
      operation,
      outcomes: outcomes.map((one) => ({ ...one, was: { ...one.was } })),
    },
    error: left === 0 ? undefined : incomplete(operation, left),
  };
}

function choose(
  entries: readonly LostDecision[],
  { operation, tokens }: ReplayOptions,
): readonly LostDecision[] {
  if (tokens.length === 0) return entries.filter(({ outcome }) => outcome === 'confirmed');
  const missing = tokens.find((token) => !entries.some((entry) => entry.token === token));
  if (missing === undefined) return entries.filter(({ token }) => tokens.includes(token));
  throw refusedError(`the report of ${operation} names no token ${JSON.stringify(missing)}`, {
    code: 'loss_token_unknown',
    next: `capstan loss show ${operation}`,
  });
}

const incomplete = (operation: string, left: number): CapstanError =>
  new CapstanError(`${left} of the lost decisions are not known to be decided`, {
    code: 'loss_replay_incomplete',
    exit: ExitCode.unknown,
    retryable: true,
    next: `capstan loss replay ${operation}: what was decided answers with its outcome`,
    data: { left },
  });
