import type { EtcdPort } from '../etcd/port.ts';
import type { Estate } from './estate.ts';
import { resumeInBackground, watchOperation } from './operation-runner.ts';
import type { Output } from './output.ts';
import { detailOperation, operationSections } from './present/operation.ts';
import { planRefusal, planSections } from './present/switchover.ts';
import { confirmByName } from './prompt.ts';
import { facts, text } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { SwitchoverRunData } from './schemas/switchover.ts';

const KIND = 'SwitchoverRun';

export interface SwitchoverFlags {
  readonly 'dry-run': boolean;
  readonly plan?: string | undefined;
  readonly confirm?: string | undefined;
  readonly target?: string | undefined;
  readonly 'pause-budget'?: number | undefined;
  readonly 'accept-degraded': boolean;
  readonly reason?: string | undefined;
  readonly wait: boolean;
  readonly timeout?: number | undefined;
  readonly 'no-color': boolean;
}

interface SwitchoverCommandOptions {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly cluster: string;
  readonly flags: SwitchoverFlags;
  readonly output: Output;
  readonly interactive: boolean;
  readonly signal: AbortSignal;
}

/** Plan, show, confirm, run, verify. What is refused before the confirmation was asked for nothing. */
export async function runSwitchoverCommand(options: SwitchoverCommandOptions): Promise<CommandResult> {
  const { etcd, estate, cluster, flags, output, interactive, signal } = options;
  const { readSwitchoverPlan } = await import('../controlplane/switchover/read-plan.ts');
  const request = {
    etcd,
    keys: estate.keys,
    cluster,
    target: flags.target,
    pauseBudgetMs: flags['pause-budget'],
    acceptDegraded: flags['accept-degraded'],
  };
  const { plan } = await readSwitchoverPlan(request);
  const refusal = planRefusal(plan);
  if (flags['dry-run']) {
    return {
      kind: KIND,
      data: dataOf({ changed: false, dryRun: true, plan }),
      names: [plan.hash],
      view: () => planSections(plan),
      ...(refusal === undefined ? {} : { error: refusal }),
    };
  }
  await output.preview(planSections(plan));
  // With --confirm the refusal comes from the run itself, which audits it.
  if (refusal !== undefined && flags.confirm === undefined) throw refusal;
  await confirmByName({
    interactive,
    action: `hand ${cluster} over to ${plan.target ?? 'nobody'}`,
    name: cluster,
    confirm: flags.confirm,
  });
  const [{ runSwitchover }, { currentActor }] = await Promise.all([
    import('../controlplane/switchover/run.ts'),
    import('../controlplane/actor.ts'),
  ]);
  const watched = await watchOperation(
    {
      subject: `switchover ${cluster}`,
      timeoutMs: flags.timeout,
      wait: flags.wait,
      noColor: flags['no-color'],
      interrupted: signal,
    },
    (watching) =>
      runSwitchover({
        ...request,
        ...watching,
        planHash: flags.plan ?? plan.hash,
        actor: currentActor(),
        reason: flags.reason,
      }),
  );
  if (watched.kind === 'left') return leftRunning(options, plan, watched.operation);
  const { changed, operation } = watched.result;
  // What the journal says of the run itself: it is done, and nothing that is read now may make it look otherwise.
  const { leader, term, pauseMs } = operation.steps.findLast(({ name }) => name === 'settle')?.result ?? {};
  const data = dataOf({
    changed,
    dryRun: false,
    plan,
    operation: detailOperation(operation),
    leader: typeof leader === 'string' ? leader : null,
    term: typeof term === 'number' ? term : null,
    pauseMs: typeof pauseMs === 'number' ? pauseMs : null,
  });
  return {
    kind: KIND,
    data,
    names: [`operation/${operation.id}`],
    view: () => [
      facts([
        ['cluster', cluster],
        ['new leader', data.leader],
        ['term', data.term],
        ['pause', data.pauseMs === null ? null : `${data.pauseMs} ms`],
      ]),
      ...operationSections(detailOperation(operation)),
    ],
  };
}

async function leftRunning(
  { etcd, estate }: SwitchoverCommandOptions,
  plan: SwitchoverRunData['plan'],
  operation: string,
): Promise<CommandResult> {
  resumeInBackground(operation, estate.location.path);
  const { readOperation } = await import('../controlplane/operation/journal.ts');
  const record = await readOperation({ etcd, keys: estate.keys, id: operation }).catch(() => undefined);
  const shown = record === undefined ? null : detailOperation(record.value);
  return {
    kind: KIND,
    data: dataOf({ changed: true, dryRun: false, plan, operation: shown }),
    warnings:
      shown === null
        ? [`operation ${operation} goes on in the background; its journal can’t be read now`]
        : [],
    names: [`operation/${operation}`],
    view: () => [
      text(`operation ${operation} goes on in the background: capstan operation show ${operation} --watch`),
    ],
  };
}

function dataOf(
  data: Pick<SwitchoverRunData, 'changed' | 'dryRun' | 'plan'> & Partial<SwitchoverRunData>,
): SwitchoverRunData {
  return { operation: null, leader: null, term: null, pauseMs: null, ...data };
}
