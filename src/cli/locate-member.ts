import { listClusterViews } from '../controlplane/cluster-view.ts';
import { refusedError, usageError } from '../domain/errors.ts';
import type { EtcdReader } from '../etcd/port.ts';
import type { Estate } from './estate.ts';

export interface MemberLocation {
  readonly cluster: string;
  readonly region: string;
}

interface Wanted {
  readonly member: string;
  readonly cluster: string | undefined;
  readonly region: string | undefined;
}

/**
 * Where a member belongs: by the configuration, else by a membership that still names it. Throws `member_unknown` (exit 2) where
 * neither does, and `flags_conflict` (exit 2) where a flag says something else.
 */
export async function locateMember(
  etcd: EtcdReader,
  { config, keys }: Pick<Estate, 'config' | 'keys'>,
  wanted: Wanted,
): Promise<MemberLocation> {
  const { member } = wanted;
  const found = configured(config, member) ?? (await recorded(etcd, keys, member));
  if (found === undefined) {
    throw usageError(`neither ${config.source} nor any cluster has a member ${member}`, {
      code: 'member_unknown',
      next: `describe it under clusters: in ${config.source}, and start its agent`,
    });
  }
  for (const flag of ['cluster', 'region'] as const) {
    const given = wanted[flag];
    if (given === undefined || given === found[flag]) continue;
    throw usageError(`--${flag} ${given}: ${member} is in ${flag} ${found[flag]}`, {
      code: 'flags_conflict',
    });
  }
  return found;
}

/** For an add: who isn't in the configuration can't be reached by anybody. */
export function demandConfigured({ config }: Pick<Estate, 'config'>, member: string): void {
  if (configured(config, member) !== undefined) return;
  throw refusedError(`${config.source} doesn't say where ${member} is: nobody could reach it`, {
    code: 'member_not_configured',
    next: `describe it under clusters: in ${config.source}, on every host`,
  });
}

function configured({ clusters }: Estate['config'], member: string): MemberLocation | undefined {
  for (const [cluster, { members }] of Object.entries(clusters)) {
    const found = members[member];
    if (found !== undefined) return { cluster, region: found.region };
  }
  return undefined;
}

async function recorded(
  etcd: EtcdReader,
  keys: Estate['keys'],
  member: string,
): Promise<MemberLocation | undefined> {
  for (const { name, membership } of await listClusterViews(etcd, keys)) {
    const place = membership?.value.members[member];
    if (place !== undefined) return { cluster: name, region: place.region };
  }
  return undefined;
}
