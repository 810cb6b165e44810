/** The fence and the lease's functions as in src/reservations/sql, over a simulated Postgres's tables and clocks. */
import { FenceState } from '../../src/domain/sqlstate.ts';
import type { Tables } from './wal.ts';

export interface Lease {
  readonly cluster: string;
  readonly term: number;
  readonly epoch: number;
  readonly leader: string;
  readonly grantId: string;
  readonly serverStarted: string;
  readonly grantedAt: number;
  readonly expiresAt: number;
  readonly grantedUptimeMs: number;
  readonly expiresUptimeMs: number;
  readonly rpoUntil: number | null;
  readonly admission: 'open' | 'closed';
  readonly admissionReason: string | null;
  readonly syncNames: string;
  readonly degraded: boolean;
}

export interface FenceInputs {
  readonly tables: Tables;
  readonly lease: Lease | undefined;
  readonly serverStarted: string;
  readonly wallMs: number;
  readonly bootMs: number;
  /** `synchronous_standby_names` as the asking session has read it. */
  readonly names: string;
}

export interface Asked {
  /** Null: not asked (the commit check). */
  readonly cluster: string | null;
  readonly epoch: number;
  readonly shard: number;
  readonly generation: number;
  readonly term: number;
  readonly deciding: boolean;
}

export type Passed = { readonly leftMs: number; readonly degraded: boolean; readonly leader: string };

/** The SQLSTATE of the refusal, in the order of 002-fence.sql, or the time left. */
export function fence(inputs: FenceInputs, asked: Asked): Passed | string {
  const { tables, lease, wallMs, bootMs, names } = inputs;
  const { state } = tables;
  if (state === undefined) return FenceState.leaseLapsed;
  const owner = tables.authority.get(asked.shard);
  if (asked.cluster !== null && asked.cluster !== state.cluster) return FenceState.wrongCluster;
  if (lease !== undefined && lease.cluster !== state.cluster) return FenceState.wrongCluster;
  if (asked.epoch !== state.epoch || (lease !== undefined && lease.epoch !== state.epoch))
    return FenceState.staleEpoch;
  if (asked.term !== state.term || (lease !== undefined && lease.term !== state.term))
    return FenceState.staleTerm;
  if (owner === undefined || owner.state === 'moved' || owner.cluster !== state.cluster)
    return FenceState.shardNotOwned;
  if (asked.generation !== owner.generation) return FenceState.staleGeneration;
  if (owner.state === 'sealed' && asked.deciding) return FenceState.shardSealed;
  if (lease === undefined || !isInForce(lease, inputs)) return FenceState.leaseLapsed;
  if (lease.admission !== 'open' && asked.deciding) return FenceState.admissionClosed;
  if (lease.rpoUntil !== null && wallMs >= lease.rpoUntil && asked.deciding) return FenceState.rpoLapsed;
  if (names !== lease.syncNames) return FenceState.durabilityWeakened;
  const wallLeft = Math.min(lease.expiresAt, (asked.deciding ? lease.rpoUntil : null) ?? Infinity) - wallMs;
  return {
    leftMs: Math.round(Math.min(wallLeft, lease.expiresUptimeMs - bootMs) - 0.5),
    degraded: lease.degraded,
    leader: lease.leader,
  };
}

export function isInForce(
  lease: Lease,
  { serverStarted, wallMs, bootMs }: Pick<FenceInputs, 'serverStarted' | 'wallMs' | 'bootMs'>,
): boolean {
  return (
    lease.serverStarted === serverStarted &&
    wallMs >= lease.grantedAt &&
    wallMs < lease.expiresAt &&
    bootMs >= lease.grantedUptimeMs &&
    bootMs < lease.expiresUptimeMs
  );
}

export type Grant = Omit<Lease, 'serverStarted' | 'grantedAt' | 'grantedUptimeMs' | 'degraded'>;

/** The new row, or the SQLSTATE of 006-lease.sql's refusal. */
export function grant(inputs: FenceInputs, wanted: Grant): Lease | string {
  const { tables, lease, wallMs, bootMs, names, serverStarted } = inputs;
  const { state } = tables;
  if (state === undefined || state.cluster !== wanted.cluster) return FenceState.wrongCluster;
  if (state.epoch !== wanted.epoch) return FenceState.staleEpoch;
  if (state.term !== wanted.term) return FenceState.staleTerm;
  if (wallMs >= wanted.expiresAt || bootMs >= wanted.expiresUptimeMs) return FenceState.leaseLapsed;
  if (names !== wanted.syncNames) return FenceState.durabilityWeakened;
  if (lease?.grantId === wanted.grantId) return FenceState.transactionShape;
  return {
    ...wanted,
    serverStarted,
    grantedAt: wallMs,
    grantedUptimeMs: bootMs,
    degraded: wanted.syncNames === '',
  };
}

export type Extend = Pick<Lease, 'grantId' | 'expiresAt' | 'expiresUptimeMs' | 'rpoUntil'>;

export function extend(
  { lease, serverStarted, wallMs, bootMs }: FenceInputs,
  wanted: Extend,
): Lease | 'older' | 'closed' | 'gone' {
  if (lease?.grantId !== wanted.grantId || lease.serverStarted !== serverStarted) return 'gone';
  if (lease.admission !== 'open') return 'closed';
  if (lease.expiresUptimeMs > wanted.expiresUptimeMs) return 'older';
  return { ...lease, ...wanted, grantedAt: wallMs, grantedUptimeMs: bootMs };
}
