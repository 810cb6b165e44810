/** Changes of membership in a test estate, as an operator makes them. */
import type { OperationProgress } from '../../src/controlplane/operation/run.ts';
import type { MembershipAction } from '../../src/controlplane/membership/plan-types.ts';
import { type MembershipResult, runMembership } from '../../src/controlplane/membership/run.ts';
import type { EtcdPort } from '../../src/etcd/port.ts';
import { CLUSTER, type TestEstate } from './agents.ts';

export interface ChangeOptions {
  readonly asLearner?: boolean;
  readonly acceptDegraded?: boolean;
  readonly etcd?: EtcdPort;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: OperationProgress) => void;
}

export const changeMember = (
  world: TestEstate,
  action: MembershipAction,
  member: string,
  options: ChangeOptions = {},
): Promise<MembershipResult> => {
  const region = world.config.clusters[CLUSTER]?.members[member]?.region ?? '';
  return runMembership({
    etcd: world.port,
    keys: world.keys,
    cluster: CLUSTER,
    action,
    member,
    region,
    actor: 'test',
    ...options,
  });
};
