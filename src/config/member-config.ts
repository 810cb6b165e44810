import { usageError } from '../domain/errors.ts';
import { type EstateConfig, loadEstateConfig, type MemberConfig } from './estate-config.ts';

/**
 * Where a member is. One that the configuration didn't name when this process read it may have been added since: then the file
 * is read once more, so that a daemon needn't be restarted for it. Throws `member_unknown` (exit 2).
 */
export async function findMemberConfig(
  config: EstateConfig,
  cluster: string,
  member: string,
): Promise<MemberConfig> {
  const known = config.clusters[cluster]?.members[member];
  if (known !== undefined) return known;
  const found = (await loadEstateConfig(config.source)).clusters[cluster]?.members[member];
  if (found !== undefined) return found;
  throw usageError(`${config.source} has no member ${member} in cluster ${cluster}`, {
    code: 'member_unknown',
  });
}
