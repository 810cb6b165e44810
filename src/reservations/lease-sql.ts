import { type ClockReading, readClocks } from '../clock/clock.ts';
import { systemClock } from '../clock/system-clock.ts';
import type { SqlClient } from '../postgres/sql-client.ts';
import type { ShardId } from '../domain/shard.ts';

/** What is left of a right, in milliseconds, margin already taken off. */
export interface LeaseRight {
  /** The moment from which it is counted; default now. A process may be stopped between any two of its lines. */
  readonly countedFrom?: ClockReading;
  readonly validForMs: number;
  /** Null: no RPO claim bounds decisions. */
  readonly rpoValidForMs: number | null;
  readonly rpoLagMs: number | null;
  readonly rpoClaim: string | null;
}

export interface Admission {
  readonly state: 'open' | 'closed';
  readonly reason: string | null;
}

export interface GrantLease extends LeaseRight {
  readonly cluster: string;
  readonly epoch: number;
  readonly term: number;
  readonly leader: string;
  /** Fresh for each grant: what was granted before can't be extended any more. */
  readonly grantId: string;
  readonly admission: Admission;
  /** The exact value of `synchronous_standby_names` that the membership demands; empty when degraded. */
  readonly syncNames: string;
  readonly syncRequired: number;
  /** Their application_name's. */
  readonly syncMembers: readonly string[];
}

export interface ExtendLease extends LeaseRight {
  readonly grantId: string;
  /** When not given, a grant whose admission is closed isn't extended. */
  readonly admission?: Admission;
}

/**
 * Writes a new grant. The right is turned into absolute times now, before anything is sent: a held-up request extends
 * nothing. Throws pg's error with the fence's SQLSTATE when this Postgres follows (CP013) or has adopted another
 * cluster, epoch or term (CP009, CP008, CP001), when the right is over (CP005), or when the setting differs (CP007).
 */
export async function grantLease(client: SqlClient, grant: GrantLease): Promise<void> {
  const { expiresAt, expiresUptimeMs, rpoUntil } = absolute(grant);
  await client.query(
    'select capstan.grant_lease($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)',
    [
      grant.cluster,
      grant.epoch,
      grant.term,
      grant.leader,
      grant.grantId,
      expiresAt,
      expiresUptimeMs,
      rpoUntil,
      grant.admission.state,
      grant.admission.reason,
      grant.syncNames,
      grant.syncRequired,
      grant.syncMembers,
      grant.rpoLagMs,
      grant.rpoClaim,
    ],
  );
}

/**
 * `gone`: no such grant; only the full grant path may follow. `closed`: the same, for its admission was closed.
 * `older`: it holds for longer already; nothing was changed.
 */
export type Extension = 'extended' | 'older' | 'gone' | 'closed';

/** Extends the grant that it names. */
export async function extendLease(client: SqlClient, extension: ExtendLease): Promise<Extension> {
  const { expiresAt, expiresUptimeMs, rpoUntil } = absolute(extension);
  const { rows } = await client.query<{ extension: Extension }>(
    'select capstan.extend_lease($1, $2, $3, $4, $5, $6, $7, $8) as extension',
    [
      extension.grantId,
      expiresAt,
      expiresUptimeMs,
      rpoUntil,
      extension.rpoLagMs,
      extension.rpoClaim,
      extension.admission?.state ?? null,
      extension.admission?.reason ?? null,
    ],
  );
  return rows[0]?.extension ?? 'gone';
}

/** Once it returns, nothing more passes the fence here. False: there was no lease row. */
export async function closeAdmission(client: SqlClient, reason: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>('select capstan.close_admission($1) as found', [
    reason,
  ]);
  return rows[0]?.found === true;
}

export interface AdoptedShard {
  readonly shard: ShardId;
  readonly generation: number;
  readonly state: 'serving' | 'sealed';
  /** Of the entry. One before what was adopted for this shard is refused (CP002). */
  readonly mapVersion?: number;
  /** The position at which another cluster handed it over; below it, it stays shut. */
  readonly handover?: string | undefined;
}

export interface AdoptTerm {
  readonly cluster: string;
  readonly epoch: number;
  readonly term: number;
  readonly reason: string;
  /** The estate's incarnation id, kept from the first adoption on. */
  readonly incarnation?: string;
  /** All shards that the map gives to the cluster. */
  readonly shards: readonly AdoptedShard[];
}

export interface Adoption {
  readonly headsMade: number;
  readonly authorityChanged: number;
  readonly moved: number;
  readonly lineageWritten: number;
  /** Shards whose rows here end before their handover: they stay shut. */
  readonly withheld: number;
}

/**
 * Makes this Postgres agree with the map under a term; idempotent. Throws pg's error with the fence's SQLSTATE for a
 * term, epoch or generation below what it has seen (CP001, CP008, CP002), another cluster or estate (CP009), or while
 * it follows (CP013). It doesn't wait for followers.
 */
export async function adoptTerm(client: SqlClient, adoption: AdoptTerm): Promise<Adoption> {
  const { cluster, epoch, term, reason, incarnation } = adoption;
  const shards = adoption.shards.map(({ mapVersion, ...shard }) => ({ ...shard, map_version: mapVersion }));
  const { rows } = await client.query<{ answer: Record<string, number> }>(
    'select capstan.adopt_term($1, $2, $3, $4, $5, $6) as answer',
    [cluster, epoch, term, reason, JSON.stringify(shards), incarnation ?? null],
  );
  const { heads_made, authority_changed, moved, lineage_written, withheld } = rows[0]?.answer ?? {};
  return {
    headsMade: heads_made ?? 0,
    authorityChanged: authority_changed ?? 0,
    moved: moved ?? 0,
    lineageWritten: lineage_written ?? 0,
    withheld: withheld ?? 0,
  };
}

function absolute({ validForMs, rpoValidForMs, countedFrom = readClocks(systemClock) }: LeaseRight) {
  const { wallMs, bootMs: boot } = countedFrom;
  const at = (ms: number) => new Date(wallMs + ms).toISOString();
  return {
    expiresAt: at(validForMs),
    expiresUptimeMs: boot === null ? null : Math.floor(boot + validForMs),
    rpoUntil: rpoValidForMs === null ? null : at(rpoValidForMs),
  };
}
