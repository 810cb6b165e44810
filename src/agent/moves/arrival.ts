import type { ClusterView } from '../../controlplane/cluster-view.ts';
import { parseLsn } from '../../domain/lsn.ts';
import type { MoveRecord, OtherMoveReport, Positions } from '../../domain/move-records.ts';
import { followerName } from '../follower-name.ts';
import type { Session } from '../local-session.ts';
import { readFlushedLsn, readWalsenders } from '../replication-facts.ts';
import { allFlushed, type Walsender } from '../sync-set.ts';
import { HEADS } from './statements.ts';

export interface HeadRow {
  readonly shard: number;
  readonly position: string;
  readonly marker: string | null;
}

export const readMovingHeads = (session: Session, shards: readonly number[]): Promise<HeadRow[]> =>
  session.query<HeadRow>(HEADS, [[...shards]]);

export const positionsOf = (heads: readonly HeadRow[]): Positions =>
  Object.fromEntries(heads.map(({ shard, position }) => [String(shard), position]));

/** How often followers are asked to answer once more. */
const NUDGE_EVERY_MS = 200;
/** A follower tells what it has replayed once a second, but at once for a commit that waits for replay. (Postgres docs, `synchronous_commit`.) */
const NUDGE = `select pg_logical_emit_message(true, 'capstan', 'a seal has arrived')`;

/**
 * Looks, at the receiver, whether a seal has arrived: every head shows its marker, the recorded in-sync set has flushed what was
 * applied up to there, and every observer of the membership has replayed it. The LSN is read after the heads were seen, so all
 * that was applied of the shards lies before it.
 */
export class Arrival {
  readonly #session: Session;
  readonly #nudger: Session;
  #seen: { readonly seal: string; readonly positions: Positions; readonly lsn: string } | undefined;
  #nudgedAtMs = -Infinity;
  #nudging = false;

  /** The second session's commits wait for followers. */
  constructor(session: Session, nudger: Session) {
    this.#session = session;
    this.#nudger = nudger;
  }

  /** The arrival, or what is waited for. */
  async look(
    { shards, seal }: Pick<MoveRecord, 'shards' | 'seal'>,
    view: ClusterView,
    nowMs: number,
  ): Promise<NonNullable<OtherMoveReport['arrived']> | string> {
    if (seal === null) return 'no seal';
    if (this.#seen?.seal !== seal.id) {
      const heads = await readMovingHeads(this.#session, shards);
      const marked = heads.filter(({ marker }) => marker === seal.id).length;
      if (marked < shards.length) return `${marked} of ${shards.length} heads show the seal`;
      const lsn = await readFlushedLsn(this.#session);
      this.#seen = { seal: seal.id, positions: positionsOf(heads), lsn };
      this.#nudgedAtMs = -Infinity;
    }
    if (nowMs - this.#nudgedAtMs >= NUDGE_EVERY_MS && !this.#nudging) void this.#nudge(nowMs);
    return missingAt(await readWalsenders(this.#session), view, this.#seen.lsn) ?? this.#seen;
  }

  warmUp(): Promise<unknown> {
    return Promise.allSettled([this.#session.query('select 1'), this.#nudger.query('select 1')]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#session.close(), this.#nudger.close()]);
  }

  /** Nothing waits for it. */
  async #nudge(nowMs: number): Promise<void> {
    this.#nudging = true;
    this.#nudgedAtMs = nowMs;
    try {
      await this.#nudger.query('set synchronous_commit = remote_apply');
      await this.#nudger.query(NUDGE);
    } catch {
      // The next one says it again.
    } finally {
      this.#nudging = false;
    }
  }
}

/** Who hasn't got everything up to an LSN yet; undefined: everybody has. Pure. */
export function missingAt(
  walsenders: readonly Walsender[],
  { membership, members, inSync }: Pick<ClusterView, 'membership' | 'members' | 'inSync'>,
  lsn: string,
): string | undefined {
  if (membership === undefined || inSync === undefined || inSync.value.degraded)
    return 'no in-sync set is recorded';
  if (!allFlushed(walsenders, inSync.value.voters, lsn)) return 'the recorded voters have not flushed it';
  const target = parseLsn(lsn) ?? 0n;
  const late = Object.entries(membership.value.members)
    .filter(([, { role }]) => role === 'observer')
    .map(([member]) => member)
    .find((member) => {
      const name = followerName({ member, incarnation: members.get(member)?.value.incarnation ?? '' });
      const rows = walsenders.filter((one) => one.name === name);
      const replayed = parseLsn(rows[0]?.replayedLsn ?? '');
      return rows.length !== 1 || replayed === undefined || replayed < target;
    });
  return late === undefined ? undefined : `observer ${late} has not replayed it`;
}
