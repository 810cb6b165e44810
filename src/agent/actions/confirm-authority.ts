import { unreachableError } from '../../domain/errors.ts';
import type { Work } from '../work.ts';

/**
 * Asks etcd itself, not the view in memory: a member that was cut off may not open as a primary under an authority that is
 * over. Throws `authority_not_confirmed` (exit 7); the action is decided anew.
 */
export async function confirmAuthority({ context, authority }: Work): Promise<void> {
  const { etcd, keys, cluster, contract } = context;
  const kv = await etcd.get(keys.authority(cluster), { timeoutMs: contract.deadlines.etcdMs });
  if (kv?.modRevision === authority.revision) return;
  throw unreachableError('the authority has changed meanwhile', { code: 'authority_not_confirmed' });
}
