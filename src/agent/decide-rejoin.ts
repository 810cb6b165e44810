import type { MemberRecord } from '../domain/records.ts';
import { type Action, type DecideInput, halt } from './action.ts';

/**
 * What a quarantined member does for its rejoin; undefined: nothing, it stays shut. It is asked under one term, for the data
 * of one incarnation: anything else that is asked of it is over, or means other data.
 */
export function whenRejoining({ member, estate, local, memory }: DecideInput): Action | undefined {
  const { rejoin: request, salvaged, openLosses, membership } = estate;
  const shut = memory.quarantine !== null || memory.incarnation === null;
  if (!shut || local.data === 'absent' || local.data === 'incomplete') return undefined;
  const leader = leaderOf(estate, member);
  if (request === undefined || leader === undefined) return undefined;
  if (request.term !== estate.authority?.term || request.incarnation !== memory.incarnation) return undefined;
  if (request.stage === 'salvage') {
    const kept = salvaged?.operation === request.operation && salvaged.incarnation === request.incarnation;
    return kept ? undefined : { kind: 'salvage', request, leader };
  }
  const [open] = openLosses;
  if (open !== undefined) return halt(local, 'quarantined', `the loss of ${open} is not signed off`);
  // Restored as a voter it would be counted on before it has caught up.
  if (membership?.members[member]?.role !== 'learner')
    return halt(local, 'quarantined', 'it is restored once the membership has it as a learner');
  const { operation, method } = request;
  return { kind: 'restore', operation, method, leader };
}

/** Rewound data may not be what a follower's should be until it was compared: it serves nothing, and isn't registered. */
export function whenUnproved({ member, estate, local, memory }: DecideInput): Action | undefined {
  const { restore } = memory;
  if (restore === null || restore.proved || local.data !== 'standby') return undefined;
  const leader = leaderOf(estate, member);
  if (leader === undefined)
    return halt(local, 'starting', 'rewound; waiting for a leader to compare it with');
  const term = estate.authority?.term;
  return restore.term === term
    ? { kind: 'prove', leader }
    : {
        kind: 'reclone',
        reason: `it was rewound under term ${restore.term}; ${leader.name} leads term ${term}`,
      };
}

/** Another member, registered, that leads an open term. */
function leaderOf(estate: DecideInput['estate'], member: string): MemberRecord | undefined {
  const { authority, members } = estate;
  if (authority?.phase !== 'open' || authority.leader === null || authority.leader === member)
    return undefined;
  return members[authority.leader];
}
