import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { refusedError, usageError } from '../domain/errors.ts';
import { estateYaml } from './estate-file.ts';
import { withFileLock } from './file-lock.ts';
import { sandboxLock, type SandboxPaths } from './folders.ts';
import { LinkClient } from './link/client.ts';
import { makeMemberFolders, withFreePorts } from './prepare.ts';
import { startProcesses } from './start.ts';
import {
  memberNodesOf,
  memberPortNames,
  requireSandboxState,
  type SandboxState,
  writeJson,
} from './state.ts';
import { CLUSTERS, type MemberNode, nextMember, SERVING_REGIONS } from './topology.ts';

const LOCK_WAIT_MS = 15_000;

export interface AddMemberOptions {
  readonly paths: SandboxPaths;
  readonly cluster: string;
  readonly region: string;
}

export interface AddedMember {
  readonly member: MemberNode;
  readonly started: readonly string[];
}

/**
 * Makes one more member for a cluster: ports, a folder, its place in `capstan.yaml`, its route through the link, and its agent,
 * which waits until `capstan member add` takes it in. Killed in between, `capstan sandbox up` goes on with it. Throws
 * `region_unknown` (exit 2), `cluster_not_found`, `sandbox_busy` (exit 4), `link_unreachable` (exit 7).
 */
export async function addSandboxMember({ paths, cluster, region }: AddMemberOptions): Promise<AddedMember> {
  const plan = CLUSTERS.find(({ name }) => name === cluster);
  if (plan === undefined) {
    throw refusedError(`the sandbox has no cluster ${cluster}`, {
      code: 'cluster_not_found',
      next: `clusters: ${CLUSTERS.map(({ name }) => name).join(', ')}`,
    });
  }
  const servingRegion = SERVING_REGIONS.find((name) => name === region);
  if (servingRegion === undefined) {
    throw usageError(`no member can be in ${region}`, {
      code: 'region_unknown',
      next: `regions: ${SERVING_REGIONS.join(', ')}`,
    });
  }
  const lock = { path: sandboxLock(paths.name), waitMs: LOCK_WAIT_MS, what: `the sandbox ${paths.name}` };
  return withFileLock(lock, async () => {
    const before = await requireSandboxState(paths);
    const member = nextMember(plan, servingRegion, memberNodesOf(before));
    const state = await withFreePorts(
      memberPortNames(member, before),
      async (ports): Promise<SandboxState> => {
        const next = {
          ...before,
          ports: { ...before.ports, ...ports },
          furtherMembers: [...(before.furtherMembers ?? []), member],
        };
        await writeJson(paths.state, next);
        return next;
      },
    );
    await placeFurtherMembers(paths, state);
    await new LinkClient(paths, state).openRoutes();
    return { member, started: await startProcesses({ paths, state, nodes: [member] }) };
  });
}

/** Folders and configuration of the members that were made later; once more, it changes nothing. */
export async function placeFurtherMembers(paths: SandboxPaths, state: SandboxState): Promise<void> {
  if (state.furtherMembers === undefined) return;
  await makeMemberFolders(paths, state.furtherMembers);
  // Daemons read it at any moment: the former or the new one, never a part.
  const draft = `${paths.config}.${randomUUID()}`;
  await writeFile(draft, estateYaml(state), { mode: 0o644 });
  await rename(draft, paths.config);
}
