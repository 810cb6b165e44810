import { refusedError } from '../domain/errors.ts';
import type { RejoinPlan } from '../controlplane/rejoin/plan.ts';
import { planRefusal, refusalLines } from './present/refusals.ts';
import { facts, text, type Section } from './render/section.ts';
import type { CommandResult } from './result.ts';
import { type ChangeFlags, type ChangeMeans, runChange } from './run-change.ts';
import type { MemberRejoinData } from './schemas/rejoin.ts';

export interface RejoinFlags extends ChangeFlags {
  readonly reclone: boolean;
}

/** `capstan member rejoin`. A member that counts already is left alone. */
export async function runRejoinCommand(
  means: ChangeMeans<RejoinFlags> & { readonly member: string },
): Promise<CommandResult> {
  const { etcd, estate, member, flags } = means;
  const { keys } = estate;
  const [{ readRejoinPlan, runRejoin }, { listClusterViews }] = await Promise.all([
    import('../controlplane/rejoin/run.ts'),
    import('../controlplane/cluster-view.ts'),
  ]);
  const views = await listClusterViews(etcd, keys);
  const cluster = views.find(({ membership }) => membership?.value.members[member] !== undefined)?.name;
  if (cluster === undefined) throw noSuchMember(member);
  const method = flags.reclone ? 'reclone' : 'rewind';
  const target = { etcd, keys, cluster, member, method } as const;
  const { plan } = await readRejoinPlan(target);
  return runChange<MemberRejoinData>(means, {
    kind: 'MemberRejoin',
    cluster,
    subject: `rejoin ${member}`,
    question: `rejoin ${member}`,
    planHash: plan.hash,
    refusal: plan.done ? undefined : planRefusal(plan),
    alreadySo: plan.done ? `member/${member}` : undefined,
    planSections: () => planSections(plan),
    run: (order) => runRejoin({ ...target, ...order }),
    dataOf: (parts) => ({ ...parts, plan: shown(plan) }),
    outcome: ({ operation }) =>
      operation === null ? [text(`${member} follows and counts already; nothing changed`)] : [],
  });
}

const shown = (plan: RejoinPlan): MemberRejoinData['plan'] => ({
  ...plan,
  losses: [...plan.losses],
  refusals: plan.refusals.map((one) => ({ ...one })),
});

const noSuchMember = (member: string) =>
  refusedError(`no cluster has a member ${member}`, {
    code: 'member_not_found',
    next: 'capstan member list',
  });

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
  ...refusalLines(plan.done ? [] : plan.refusals),
];
