import { refusedError } from '../domain/errors.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { RejoinPlan } from '../controlplane/rejoin/plan.ts';
import type { Estate } from './estate.ts';
import { resumeInBackground, watchOperation } from './operation-runner.ts';
import type { Output } from './output.ts';
import { detailOperation, operationSections } from './present/operation.ts';
import { confirmByName } from './prompt.ts';
import { facts, text, type Section } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { MemberRejoinData } from './schemas/rejoin.ts';

const KIND = 'MemberRejoin';

export interface RejoinFlags {
  readonly 'dry-run': boolean;
  readonly reclone: boolean;
  readonly confirm?: string | undefined;
  readonly reason?: string | undefined;
  readonly wait: boolean;
  readonly timeout?: number | undefined;
  readonly 'no-color': boolean;
}

export interface RejoinCommandOptions {
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly member: string;
  readonly flags: RejoinFlags;
  readonly output: Output;
  readonly interactive: boolean;
  readonly signal: AbortSignal;
}

/** Plan, show, confirm, run. A member that counts already is left alone. */
export async function runRejoinCommand(options: RejoinCommandOptions): Promise<CommandResult> {
  const { etcd, estate, member, flags, output, interactive, signal } = options;
  const { keys } = estate;
  const [{ readRejoinPlan, runRejoin }, { listClusterViews }, { currentActor }] = await Promise.all([
    import('../controlplane/rejoin/run.ts'),
    import('../controlplane/cluster-view.ts'),
    import('../controlplane/actor.ts'),
  ]);
  const views = await listClusterViews(etcd, keys);
  const cluster = views.find(({ membership }) => membership?.value.members[member] !== undefined)?.name;
  if (cluster === undefined) throw noSuchMember(member);
  const target = {
    etcd,
    keys,
    cluster,
    member,
    method: flags.reclone ? ('reclone' as const) : ('rewind' as const),
  };
  const { plan } = await readRejoinPlan(target);
  const refusal = plan.done ? undefined : refusalOf(plan);
  if (flags['dry-run'] || plan.done) {
    return {
      kind: KIND,
      data: dataOf({ changed: false, dryRun: flags['dry-run'], plan }),
      names: [flags['dry-run'] ? plan.hash : `member/${member}`],
      view: () => planSections(plan),
      ...(refusal === undefined ? {} : { error: refusal }),
    };
  }
  if (refusal !== undefined) throw refusal;
  await output.preview(planSections(plan));
  await confirmByName({ interactive, action: `rejoin ${member}`, name: cluster, confirm: flags.confirm });
  const watched = await watchOperation(
    {
      subject: `rejoin ${member}`,
      timeoutMs: flags.timeout,
      wait: flags.wait,
      noColor: flags['no-color'],
      interrupted: signal,
    },
    (watching) =>
      runRejoin({
        ...target,
        ...watching,
        planHash: plan.hash,
        actor: currentActor(),
        reason: flags.reason,
      }),
  );
  if (watched.kind === 'left') {
    resumeInBackground(watched.operation, estate.location.path);
    const id = watched.operation;
    return {
      kind: KIND,
      data: dataOf({ changed: true, dryRun: false, plan }),
      names: [`operation/${id}`],
      view: () => [text(`operation ${id} goes on in the background: capstan operation show ${id} --watch`)],
    };
  }
  const operation = detailOperation(watched.result.operation);
  return {
    kind: KIND,
    data: dataOf({ changed: true, dryRun: false, plan, operation }),
    names: [`operation/${operation.id}`],
    view: () => operationSections(operation),
  };
}

const dataOf = (
  data: Pick<MemberRejoinData, 'changed' | 'dryRun'> & {
    readonly plan: RejoinPlan;
    readonly operation?: MemberRejoinData['operation'];
  },
): MemberRejoinData => ({
  operation: null,
  ...data,
  plan: {
    ...data.plan,
    losses: [...data.plan.losses],
    refusals: data.plan.refusals.map((one) => ({ ...one })),
  },
});

const noSuchMember = (member: string) =>
  refusedError(`no cluster has a member ${member}`, {
    code: 'member_not_found',
    next: 'capstan member list',
  });

function refusalOf({ refusals }: RejoinPlan) {
  const [first] = refusals;
  if (first === undefined) return undefined;
  const { code, next } = first;
  return refusedError(refusals.map(({ message }) => message).join('; '), { code, next });
}

const planSections = (plan: RejoinPlan): Section[] => [
  facts([
    ['rejoin', plan.member],
    ['cluster', plan.cluster],
    ['leader', plan.leader],
    ['term', plan.term],
    ['state', plan.done ? `${plan.state}: nothing to do` : plan.state],
    ['becomes', plan.becomes],
    [
      'method',
      plan.method === 'rewind' ? 'salvage, then rewind (clone on any doubt)' : 'salvage, then clone',
    ],
    ['pause', 'none: it comes back beside the leader'],
    ['its data', 'what only it holds is kept in etcd and in a file beside it; then it is overwritten'],
    ['sign-off first', plan.losses.length === 0 ? 'not needed' : plan.losses.join(', ')],
    ['plan', plan.hash],
  ]),
];
