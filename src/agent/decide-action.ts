import { assertNever } from '../domain/errors.ts';
import type { AuthorityRecord, MemberRecord } from '../domain/records.ts';
import { type Action, type DecideInput, halt, hold, type LocalFacts } from './action.ts';
import { isFrozenFor, whileDraining, whileLeaderDrains } from './decide-draining.ts';
import { whenRejoining, whenUnproved } from './decide-rejoin.ts';

/** The configuration on disk has not been read by the running Postgres. */
export const UNREAD = 'unread';

/**
 * The one thing to do next: authority's phase × what is here. Pure. The reconciler carries it out, looks again and asks
 * again, so each action may be killed halfway and is simply decided anew.
 */
export function decideAction(input: DecideInput): Action {
  const { member, estate, local, memory } = input;
  const { authority, membership } = estate;
  const refused = whyRefused(input);
  if (refused !== undefined) return halt(local, 'fenced', refused);
  const rejoining = whenRejoining(input);
  if (rejoining !== undefined) return rejoining;
  if (memory.quarantine !== null) return halt(local, 'quarantined', memory.quarantine.reason);
  if (authority === undefined || membership === undefined)
    return halt(local, 'starting', 'the cluster is not created yet');
  if (membership.members[member] === undefined)
    return halt(local, 'stopped', `${member} is not in the membership of epoch ${membership.epoch}`);
  if (local.data === 'incomplete')
    return local.process === 'stopped'
      ? { kind: 'discard-incomplete' }
      : { kind: 'stop', state: 'starting', reason: 'its data directory was never finished' };
  if (local.data !== 'absent' && memory.incarnation === null)
    return halt(
      local,
      'quarantined',
      'there is data here, but no memory of it beside it: whose it is and what it promised is unknown',
    );
  const unproved = whenUnproved(input);
  if (unproved !== undefined) return unproved;
  switch (authority.phase) {
    case 'bootstrap':
      return duringBootstrap(input);
    case 'open':
      return authority.leader === member
        ? asLeader(input, authority)
        : asFollower(input, authority, authority.leader);
    case 'fenced':
      return whileFenced(input, authority);
    case 'draining':
      return authority.leader === member
        ? whileDraining(input, authority)
        : (whileLeaderDrains(input, authority) ?? asFollower(input, authority, authority.leader));
    case 'promoting':
      return authority.leader === member ? whenChosen(input, authority) : whileFenced(input, authority);
    default:
      return assertNever(authority.phase);
  }
}

/** What is below the highest that was ever seen is an older state of the world, however it came to be read. */
function whyRefused({ estate, memory, local }: DecideInput): string | undefined {
  const { authority, membership, incarnation, mapVersion } = estate;
  if (memory.estate !== null && memory.estate !== incarnation)
    return `etcd is another estate (incarnation ${incarnation}, this member belongs to ${memory.estate})`;
  const seen = Math.max(memory.highestTerm, local.storedTerm ?? 0);
  if (authority !== undefined && authority.term < seen)
    return `etcd says term ${authority.term}, but term ${seen} has been seen`;
  if (membership !== undefined && membership.epoch < memory.highestEpoch)
    return `etcd says epoch ${membership.epoch}, but epoch ${memory.highestEpoch} has been seen`;
  if (mapVersion < memory.highestMapVersion)
    return `etcd says map version ${mapVersion}, but version ${memory.highestMapVersion} has been seen`;
  return undefined;
}

function duringBootstrap({ member, estate, local }: DecideInput): Action {
  if (estate.record?.bootstrapMember !== member)
    return local.data === 'absent'
      ? hold('starting', 'waiting for the first member to initialise the cluster')
      : halt(local, 'stopped', 'the cluster is being initialised, but there is data here already');
  return local.data === 'standby'
    ? halt(local, 'stopped', 'the cluster is being initialised, but this data directory is a standby')
    : { kind: 'bootstrap' };
}

function asLeader({ member, estate, local, memory }: DecideInput, authority: AuthorityRecord): Action {
  switch (local.data) {
    case 'absent':
      return hold('quarantined', `${member} leads term ${authority.term}, but its data directory is gone`);
    case 'standby':
      // Killed while it promoted once more, after the coordinator had seen its first report.
      return memory.promotingTerm === authority.term && authority.prefix !== null
        ? { kind: 'promote' }
        : halt(local, 'quarantined', `${member} leads term ${authority.term}, but its data is a standby's`);
    case 'incomplete':
    case 'primary':
      break;
  }
  if (local.process === 'stopped') return { kind: 'start', as: 'primary' };
  if (local.process === 'starting' || local.recovering !== false)
    return hold('opening', 'waiting until Postgres answers as a primary');
  const registered = estate.members[member];
  if (registered === undefined) return { kind: 'register' };
  if (registered.incarnation !== memory.incarnation)
    return halt(
      local,
      'quarantined',
      `${member} leads as incarnation ${registered.incarnation}, but its data is incarnation ${memory.incarnation}`,
    );
  if (local.storedTerm === null || local.storedTerm < authority.term) return { kind: 'adopt' };
  if (local.storedEpoch === null || local.storedEpoch < (estate.membership?.epoch ?? 0))
    return { kind: 'adopt' };
  if (local.reconciledMapVersion === null || local.reconciledMapVersion < estate.mapVersion)
    return { kind: 'adopt' };
  return { kind: 'lead' };
}

function asFollower(input: DecideInput, authority: AuthorityRecord, leaderName: string | null): Action {
  const { member, estate, local, memory } = input;
  const leader = leaderName === null ? undefined : estate.members[leaderName];
  if (local.data === 'primary') return formerPrimary(input, authority);
  if (local.process === 'running' && local.recovering === false)
    return { kind: 'quarantine', reason: `it writes, but ${leaderName} leads term ${authority.term}` };
  if (local.data === 'absent')
    return leader === undefined
      ? hold('starting', 'waiting for a leader to clone from')
      : { kind: 'clone', leader: leader.name };
  if (local.process === 'stopped') return { kind: 'start', as: 'standby' };
  if (local.process === 'starting') return hold('starting', 'waiting until Postgres answers');
  if (leader === undefined) return hold('frozen', 'no leader is registered');
  if (local.upstream !== upstreamName(leader)) return { kind: 'follow', leader };
  if (estate.members[member]?.incarnation !== memory.incarnation || memory.restore !== null)
    return { kind: 'register' };
  return hold('following', null);
}

/** The name under which the configuration on disk notes whom it follows. */
export const upstreamName = (leader: Pick<MemberRecord, 'name' | 'incarnation'>): string =>
  `${leader.name}_${leader.incarnation}`;

function whileFenced(input: DecideInput, authority: AuthorityRecord): Action {
  const { estate, local, memory } = input;
  if (local.data === 'absent') return hold('starting', 'waiting for a leader to clone from');
  if (local.data === 'primary') return formerPrimary(input, authority);
  if (local.process === 'running' && local.recovering === false)
    return { kind: 'stop', state: 'fenced', reason: `it writes, but term ${authority.term} is fenced` };
  if (local.process === 'stopped') return { kind: 'start', as: 'standby' };
  if (local.process === 'starting') return hold('starting', 'waiting until Postgres answers');
  if (receivesOn(input, authority)) return whileProved(local, authority);
  const reported = isFrozenFor({ estate, memory }, authority.term, authority.operation);
  if (local.upstream === null && reported) return hold('frozen', `frozen for term ${authority.term}`);
  return authority.operation === null
    ? hold('frozen', 'fenced by no operation')
    : { kind: 'freeze', term: authority.term, operation: authority.operation };
}

/** Whether this member stays where it is until the fence proof stands: what the old side still confirms isn't lost needlessly. */
const receivesOn = ({ member, estate }: DecideInput, { freeze }: AuthorityRecord): boolean =>
  freeze === 'voters' && estate.membership?.members[member]?.role !== 'voter';

function whileProved(local: LocalFacts, { term }: AuthorityRecord): Action {
  return local.upstream === null
    ? hold('frozen', `it follows nobody while the fence of term ${term} is being proved`)
    : hold('following', `it goes on receiving until the fence of term ${term} is proved`);
}

/**
 * Data that was a primary's. It may only lead again when authority names it. Once another leader is decided it holds what
 * that leader doesn't, and never starts again until it is rejoined; before that, an aborted failover may give it back.
 * What it handed over itself ends where it says, so it may follow: whether the new leader kept all of it is looked at then.
 */
function formerPrimary({ estate, local, memory }: DecideInput, authority: AuthorityRecord): Action {
  if (authority.leader !== null && memory.handedOver?.term === memory.ledTerm) {
    // Callers come first: what a start takes of a host may be what the new leader's first lease needs.
    const decides = authority.phase === 'open' && estate.leaseTerm === authority.term;
    return decides && local.process === 'stopped'
      ? { kind: 'demote' }
      : halt(local, 'fenced', `handed over; nobody decides under term ${authority.term} yet`);
  }
  if (authority.leader !== null) {
    return {
      kind: 'quarantine',
      reason: `it was a primary under term ${memory.ledTerm}; ${authority.leader} leads term ${authority.term}`,
    };
  }
  const { term, operation } = authority;
  const shut = halt(local, 'fenced', `term ${term} is fenced: this former primary stays shut`);
  const { stopped } = estate;
  const reported =
    stopped?.term === term && stopped.operation === operation && stopped.incarnation === memory.incarnation;
  return shut.kind === 'stop' || operation === null || reported
    ? shut
    : { kind: 'report-stopped', term, operation };
}

function whenChosen({ estate, local, memory }: DecideInput, authority: AuthorityRecord): Action {
  const { prefix, term } = authority;
  if (local.data === 'absent') return hold('quarantined', 'chosen to lead, but its data directory is gone');
  if (prefix === null) return hold('frozen', 'chosen to lead, but no prefix is decided');
  if (prefix.incarnation !== memory.incarnation)
    return hold(
      'quarantined',
      `chosen as incarnation ${prefix.incarnation}, but its data is incarnation ${memory.incarnation}`,
    );
  if (local.data === 'primary' && memory.promotingTerm !== term)
    return halt(local, 'quarantined', `chosen to lead term ${term}, but its data was a primary's before`);
  const { promotion } = estate;
  const reported = promotion?.term === term && promotion.member === prefix.member;
  if (reported && local.process === 'running' && local.recovering === false)
    return hold('promoting', 'promoted; waiting for the coordinator to open');
  return { kind: 'promote' };
}
