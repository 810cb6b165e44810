import { authorityOpen } from './authority-open.ts';
import { automaticFailover } from './automatic-failover.ts';
import { clockSkew } from './clock-skew.ts';
import { etcdQuorum } from './etcd-quorum.ts';
import { fenceProbe } from './fence-probe.ts';
import { gatewaysReady } from './gateways-ready.ts';
import { leaseMargin } from './lease-margin.ts';
import { mapComplete } from './map-complete.ts';
import { operationsStuck } from './operations-stuck.ts';
import { remoteLag } from './remote-lag.ts';
import { syncFollower } from './sync-follower.ts';
import type { Check } from './types.ts';
import { usageError } from '../domain/errors.ts';

/** Every readiness check, in the order that reports show. */
export const CHECKS: readonly Check[] = [
  etcdQuorum,
  mapComplete,
  authorityOpen,
  leaseMargin,
  syncFollower,
  remoteLag,
  fenceProbe,
  gatewaysReady,
  operationsStuck,
  automaticFailover,
  clockSkew,
];

/** Those of the given names; all when none is named. Throws CapstanError `check_unknown` (exit 2). */
export function selectChecks(names: readonly string[]): readonly Check[] {
  if (names.length === 0) return CHECKS;
  const strange = names.find((name) => !CHECKS.some((check) => check.name === name));
  if (strange !== undefined) {
    throw usageError(`there is no check ${JSON.stringify(strange)}`, {
      code: 'check_unknown',
      next: 'capstan readiness list',
      data: { checks: CHECKS.map(({ name }) => name) },
    });
  }
  return CHECKS.filter(({ name }) => names.includes(name));
}
