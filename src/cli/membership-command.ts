import type { MembershipAction, MembershipPlan } from '../controlplane/membership/plan-types.ts';
import type { MembershipRequest } from '../controlplane/membership/run.ts';
import type { OperationRecord } from '../domain/records.ts';
import type { EtcdPort } from '../etcd/port.ts';
import type { Estate } from './estate.ts';
import { demandConfigured, locateMember } from './locate-member.ts';
import { resumeInBackground, watchOperation } from './operation-runner.ts';
import type { Output } from './output.ts';
import { membershipRefusal, membershipSections, outcomeSections } from './present/membership.ts';
import { detailOperation } from './present/operation.ts';
import { confirmByName } from './prompt.ts';
import { text } from './render/section.ts';
import type { CommandResult } from './result.ts';
import type { MemberChangeData } from './schemas/membership.ts';

interface MembershipFlags {
  readonly cluster?: string | undefined;
  readonly region?: string | undefined;
  readonly learner?: boolean | undefined;
  readonly 'accept-degraded'?: boolean | undefined;
  readonly 'dry-run': boolean;
  readonly plan?: string | undefined;
  readonly confirm?: string | undefined;
  readonly reason?: string | undefined;
  readonly wait: boolean;
  readonly timeout?: number | undefined;
  readonly 'no-color': boolean;
}

interface MembershipCommandOptions {
  readonly kind: string;
  readonly action: MembershipAction;
  readonly member: string;
  readonly etcd: EtcdPort;
  readonly estate: Estate;
  readonly flags: MembershipFlags;
  readonly output: Output;
  readonly interactive: boolean;
  readonly signal: AbortSignal;
}

/** Plan, show, confirm, run, verify. What is refused before the confirmation was asked for nothing. */
export async function runMembershipCommand(options: MembershipCommandOptions): Promise<CommandResult> {
  const { action, member, etcd, estate, flags, output, interactive } = options;
  const { cluster, region } = await locateMember(etcd, estate, {
    member,
    cluster: flags.cluster,
    region: flags.region,
  });
  if (action === 'add') demandConfigured(estate, member);
  const { readMembershipPlan } = await import('../controlplane/membership/run.ts');
  const request = {
    etcd,
    keys: estate.keys,
    cluster,
    action,
    member,
    region,
    asLearner: flags.learner,
    acceptDegraded: flags['accept-degraded'],
  };
  const { plan } = await readMembershipPlan(request);
  const refusal = membershipRefusal(plan);
  if (flags['dry-run']) {
    const data = dataOf({ changed: false, dryRun: true, plan });
    const view = () => membershipSections(plan);
    return {
      kind: options.kind,
      data,
      names: [plan.hash],
      view,
      ...(refusal === undefined ? {} : { error: refusal }),
    };
  }
  if (!plan.done) {
    await output.preview(membershipSections(plan));
    // With --confirm the refusal comes from the run itself, which audits it.
    if (refusal !== undefined && flags.confirm === undefined) throw refusal;
    await confirmByName({
      interactive,
      action: `${action} ${member} of ${cluster}`,
      name: cluster,
      confirm: flags.confirm,
    });
  }
  return run(options, request, plan);
}

async function run(
  options: MembershipCommandOptions,
  request: MembershipRequest & { readonly etcd: EtcdPort },
  plan: MembershipPlan,
): Promise<CommandResult> {
  const { kind, action, member, flags, estate, signal } = options;
  const [{ runMembership }, { currentActor }] = await Promise.all([
    import('../controlplane/membership/run.ts'),
    import('../controlplane/actor.ts'),
  ]);
  const watched = await watchOperation(
    {
      subject: `member ${action} ${member}`,
      timeoutMs: flags.timeout,
      wait: flags.wait,
      noColor: flags['no-color'],
      interrupted: signal,
    },
    (watching) =>
      runMembership({
        ...request,
        ...watching,
        planHash: flags.plan ?? plan.hash,
        actor: currentActor(),
        reason: flags.reason,
      }),
  );
  if (watched.kind === 'left') {
    resumeInBackground(watched.operation, estate.location.path);
    const { readOperation } = await import('../controlplane/operation/journal.ts');
    const { value } = await readOperation({ etcd: request.etcd, keys: estate.keys, id: watched.operation });
    return {
      kind,
      data: dataOf({ changed: true, dryRun: false, plan, operation: value }),
      names: [`operation/${value.id}`],
      view: () => [
        text(`operation ${value.id} goes on in the background: capstan operation show ${value.id} --watch`),
      ],
    };
  }
  const { changed, operation } = watched.result;
  const data = dataOf({ changed, dryRun: false, plan, operation });
  return {
    kind,
    data,
    names: [operation === null ? `member/${member}` : `operation/${operation.id}`],
    warnings:
      plan.leavesDegraded && changed
        ? [`${plan.cluster} is degraded: ${plan.leader} is its own durable set until a voter is added`]
        : [],
    view: () => outcomeSections(data),
  };
}

function dataOf({
  changed,
  dryRun,
  plan,
  operation = null,
}: {
  readonly changed: boolean;
  readonly dryRun: boolean;
  readonly plan: MembershipPlan;
  readonly operation?: OperationRecord | null;
}): MemberChangeData {
  // What the journal says of the run itself; nothing that is read now may make it look otherwise.
  const { role, epoch } = operation?.status === 'done' ? (operation.steps.at(-1)?.result ?? {}) : {};
  return {
    changed,
    dryRun,
    plan,
    operation: operation === null ? null : detailOperation(operation),
    role: typeof role === 'string' ? role : null,
    epoch: typeof epoch === 'number' ? epoch : null,
  };
}
