import { pauseInForce, standingOf } from '../../controlplane/automatic/standing.ts';
import type { ClusterView } from '../../controlplane/cluster-view.ts';
import { rpoStanding } from '../../controlplane/rpo-gate-standing.ts';
import type { Contract } from '../../domain/contract.ts';
import { formatDurationMs } from '../../domain/duration.ts';
import { failoverPolicyOf } from '../../domain/failover-policy.ts';
import type { HeartbeatRecord } from '../../domain/agent-reports.ts';
import { facts, table, type Column, type Section } from '../render/section.ts';
import { rpoSummaryOf } from './rpo.ts';
import type { AutomaticFailoverData, ClusterSummary, MemberSummary } from '../schemas/cluster.ts';

/** A cluster as the command line shows it; what isn't known is null. `nowMs` is the caller's wall clock. */
export function summarizeCluster(options: {
  readonly view: ClusterView;
  readonly shards: number;
  readonly contract: Pick<Contract, 'failover' | 'rpo'>;
  readonly nowMs: number;
}): ClusterSummary {
  const { view, shards, contract, nowMs } = options;
  const authority = view.authority?.value;
  const inSync = view.inSync?.value;
  return {
    name: view.name,
    homeRegion: view.record?.value.homeRegion ?? null,
    phase: authority?.phase ?? null,
    term: authority?.term ?? null,
    epoch: view.membership?.value.epoch ?? null,
    leader: authority?.leader ?? null,
    since: authority?.since ?? null,
    shards,
    activeOperation: view.activeOperation?.value ?? null,
    lease: leaseOf(view),
    durability:
      inSync === undefined
        ? null
        : {
            voters: inSync.voters.map(({ member }) => member),
            required: inSync.required,
            degraded: inSync.degraded,
            since: inSync.since,
          },
    automaticFailover: {
      standing: standingOf(view, failoverPolicyOf(contract), nowMs),
      pause: pauseInForce(view.pause, nowMs) ?? null,
      block: blockOf(view),
    },
    rpo: rpoSummaryOf(rpoStanding(view, contract, nowMs)),
    members: summarizeMembers({ view, nowMs }),
  };
}

function blockOf({ block }: ClusterView): ClusterSummary['automaticFailover']['block'] {
  return block === undefined ? null : { ...block.value, failovers: [...block.value.failovers] };
}

function leaseOf(view: ClusterView): ClusterSummary['lease'] {
  const lease = view.lease?.value;
  if (lease === undefined) return null;
  const { leader, term, grantId, sequence, ttlMs, renewedAt } = lease;
  const leftMs = view.heartbeats.get(leader)?.value.leaseLeftMs ?? null;
  return { holder: leader, term, grantId, sequence, ttlMs, renewedAt, leftMs };
}

/** Every member that the membership, a registration or a heartbeat names, in name order. */
export function summarizeMembers(options: {
  readonly view: ClusterView;
  readonly nowMs: number;
}): MemberSummary[] {
  const { view, nowMs } = options;
  const membership = view.membership?.value.members ?? {};
  const names = new Set([...Object.keys(membership), ...view.members.keys(), ...view.heartbeats.keys()]);
  const leader = view.authority?.value.leader ?? null;
  const leaderBeat = leader === null ? undefined : view.heartbeats.get(leader)?.value;
  return [...names].toSorted().map((name) => {
    const beat = view.heartbeats.get(name)?.value;
    return {
      name,
      cluster: view.name,
      region: membership[name]?.region ?? view.members.get(name)?.value.region ?? beat?.region ?? '',
      role: membership[name]?.role ?? null,
      leader: name === leader,
      inSync: view.inSync?.value.voters.some(({ member }) => member === name) ?? false,
      lagBytes: leaderBeat?.followers.find(({ member }) => member === name)?.lagBytes ?? null,
      ...beatFacts(beat, nowMs),
      incarnation: beat?.incarnation ?? view.members.get(name)?.value.incarnation ?? null,
    };
  });
}

function beatFacts(beat: HeartbeatRecord | undefined, nowMs: number) {
  return {
    state: beat?.state ?? 'unreachable',
    reason: beat === undefined ? 'no live heartbeat from its agent' : beat.reason,
    postgresUp: beat?.postgresUp ?? null,
    writable: beat?.writable ?? null,
    term: beat?.term ?? null,
    epoch: beat?.epoch ?? null,
    timeline: beat?.timeline ?? null,
    receivedLsn: beat?.receivedLsn ?? null,
    replayedLsn: beat?.replayedLsn ?? null,
    flushedLsn: beat?.flushedLsn ?? null,
    leaseLeftMs: beat?.leaseLeftMs ?? null,
    heartbeatAgeMs: beat === undefined ? null : Math.max(0, nowMs - Date.parse(beat.at)),
    version: beat?.version ?? null,
  };
}

const duration = (value: number | null) => (value === null ? null : formatDurationMs(value));

const durabilityWord = ({ durability }: ClusterSummary) => {
  if (durability === null) return null;
  return durability.degraded ? 'degraded' : `${durability.required} of ${durability.voters.length}`;
};

export const CLUSTER_COLUMNS: readonly Column<ClusterSummary>[] = [
  { header: 'CLUSTER', value: (row) => row.name },
  { header: 'HOME', value: (row) => row.homeRegion, wide: true },
  { header: 'PHASE', value: (row) => row.phase },
  { header: 'LEADER', value: (row) => row.leader, shrink: true },
  { header: 'TERM', value: (row) => row.term, align: 'right' },
  { header: 'EPOCH', value: (row) => row.epoch, align: 'right' },
  { header: 'SHARDS', value: (row) => row.shards, align: 'right', wide: true },
  { header: 'LEASE LEFT', value: (row) => duration(row.lease?.leftMs ?? null), align: 'right' },
  { header: 'SYNC', value: durabilityWord },
  { header: 'RPO LAG', value: (row) => duration(row.rpo.lagMs), align: 'right' },
  { header: 'CLAIM', value: (row) => row.rpo.claim },
  { header: 'AUTOMATIC', value: (row) => row.automaticFailover.standing },
  { header: 'OPERATION', value: (row) => row.activeOperation, wide: true, shrink: true },
];

export const MEMBER_COLUMNS: readonly Column<MemberSummary>[] = [
  { header: 'MEMBER', value: (row) => row.name },
  { header: 'CLUSTER', value: (row) => row.cluster, wide: true },
  { header: 'REGION', value: (row) => row.region },
  { header: 'ROLE', value: roleWord },
  { header: 'STATE', value: (row) => row.state },
  { header: 'REPLAYED', value: (row) => row.replayedLsn, align: 'right' },
  { header: 'FLUSHED', value: (row) => row.flushedLsn, align: 'right', wide: true },
  { header: 'LAG BYTES', value: (row) => row.lagBytes, align: 'right', wide: true },
  { header: 'TERM', value: (row) => row.term, align: 'right', wide: true },
  { header: 'TIMELINE', value: (row) => row.timeline, align: 'right', wide: true },
  { header: 'HEARD', value: (row) => duration(row.heartbeatAgeMs), align: 'right' },
  { header: 'REASON', value: (row) => row.reason, shrink: true },
];

function roleWord({ leader, inSync, role }: MemberSummary): string | null {
  if (leader) return 'leader';
  if (role === null) return null;
  return inSync ? `${role}, in sync` : role;
}

/** Whether agents replace the leader by themselves, and who or what keeps them from it. */
export function automaticLine({ standing, pause, block }: AutomaticFailoverData): string {
  const pausedBy =
    pause === null
      ? []
      : [`paused by ${pause.by} since ${pause.since}, ${untilWord(pause.until)}: ${pause.reason}`];
  const blockedBy = block === null ? [] : [`blocked since ${block.since}: ${block.reason}`];
  const why = [...pausedBy, ...blockedBy];
  if (standing === 'off') return ['off by the contract', ...why].join('; ');
  return why.length === 0 ? standing : why.join('; ');
}

/** The claim, why it isn't advertised, and the action that is taken. */
export function rpoLine({ claim, reason, action, acts }: ClusterSummary['rpo']): string {
  const why = reason === null ? '' : `: ${reason}`;
  return acts ? `${claim}${why}; action: ${action}` : `${claim}${why}`;
}

const untilWord = (until: string | null) => (until === null ? 'until it is ended' : `until ${until}`);

/** One cluster in full. */
export function clusterSections(cluster: ClusterSummary): Section[] {
  const { lease, durability, rpo } = cluster;
  return [
    facts([
      ['cluster', cluster.name],
      ['home region', cluster.homeRegion],
      ['phase', cluster.phase],
      ['leader', cluster.leader],
      ['term', cluster.term],
      ['epoch', cluster.epoch],
      ['since', cluster.since],
      ['shards', cluster.shards],
      ['active operation', cluster.activeOperation],
      ['lease', lease === null ? null : `${lease.holder}, term ${lease.term}, renewal ${lease.sequence}`],
      ['lease left', duration(lease?.leftMs ?? null)],
      ['automatic failover', automaticLine(cluster.automaticFailover)],
      [
        'durability',
        durability?.degraded === true
          ? 'degraded: the leader is its own durable set; losing it loses confirmed decisions'
          : durabilityWord(cluster),
      ],
      ['sync voters', durability === null ? null : durability.voters.join(', ')],
      ['RPO lag', `${duration(rpo.lagMs) ?? 'unknown'} of ${formatDurationMs(rpo.budgetMs)}`],
      ['RPO claim', rpoLine(rpo)],
    ]),
    table({ title: 'members', columns: MEMBER_COLUMNS, rows: cluster.members, empty: 'no members yet' }),
  ];
}
