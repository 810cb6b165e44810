import { timestampOf } from '../clock/clock.ts';
import { messageOf } from '../domain/errors.ts';
import { parseLsn } from '../domain/lsn.ts';
import type { ProgressRecord } from '../domain/agent-reports.ts';
import type { MemberContext } from './context.ts';
import type { Session } from './local-session.ts';
import { ProgressRing } from './progress-ring.ts';
import { type Handover, readPositions } from './replication-facts.ts';
import { readTimeline, TIMELINE_COLUMNS, type TimelineRow } from './replay-timeline.ts';

const PUBLISH_EVERY_MS = 1_000;

interface ProgressRow extends TimelineRow {
  readonly recovering: boolean;
  readonly lsn: string | null;
  readonly replayed_until: Date | null;
}

const PROGRESS = `
  select pg_is_in_recovery() as recovering,
    case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end::text as lsn,
    ${TIMELINE_COLUMNS},
    pg_last_xact_replay_timestamp() as replayed_until`;

const LINEAGE = `
  select (select term from capstan.cluster_state) as term,
    coalesce(md5(string_agg(concat_ws(' ', shard_id, generation, term, first_position, cluster), ','
      order by shard_id, generation, term)), '') as digest
  from capstan.lineage`;

/**
 * Publishes what this member's Postgres holds, outside of what daemons follow and under no lease: a regional failover forecasts
 * its loss from it when nobody here answers any more. One that doesn't recover is published once a second, because its time
 * counts; a standby when something changed.
 */
export class Progress {
  readonly #context: MemberContext;
  readonly #session: Session;
  readonly #handovers: () => readonly Handover[];
  #ring = new ProgressRing();
  #published = '';

  constructor(context: MemberContext, session: Session, handovers: () => readonly Handover[]) {
    this.#context = context;
    this.#session = session;
    this.#handovers = handovers;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#context;
    while (!signal.aborted) {
      const begun = clock.monotonicMs();
      try {
        await this.#tick();
      } catch (error) {
        logger.debug({ reason: messageOf(error) }, 'progress not published');
      }
      await clock.sleep(PUBLISH_EVERY_MS - (clock.monotonicMs() - begun), signal);
    }
    await this.#session.close();
  }

  async #tick(): Promise<void> {
    const { etcd, keys, cluster, member, contract } = this.#context;
    const record = await this.#record();
    if (record === undefined) return;
    const { at: _at, ...held } = record;
    const text = JSON.stringify(held);
    if (record.peak === null && text === this.#published) return;
    const write = {
      kind: 'put',
      key: keys.progress(cluster, member),
      value: JSON.stringify(record),
    } as const;
    await etcd.transact([], [write], { timeoutMs: contract.deadlines.etcdMs });
    this.#published = text;
  }

  /** Undefined: there is nothing yet that could be told. */
  async #record(): Promise<ProgressRecord | undefined> {
    const { member, memory, clock } = this.#context;
    // The time first, then the LSN, then the positions: all that is told is held.
    const at = timestampOf(clock);
    const atMs = clock.monotonicMs();
    const row = await this.#session.one<ProgressRow>(PROGRESS);
    const all = await readPositions(this.#session, this.#handovers());
    const { incarnation } = memory.value;
    const lsn = row.lsn === null ? undefined : parseLsn(row.lsn);
    if (incarnation === null || row.lsn === null || lsn === undefined || Object.keys(all).length === 0)
      return undefined;
    const { term, digest } = await this.#session.one<{ term: number | null; digest: string }>(LINEAGE);
    const positions = Object.fromEntries(Object.entries(all).filter(([, position]) => position !== '0'));
    if (row.recovering) this.#ring = new ProgressRing();
    return {
      member,
      incarnation,
      term,
      timeline: await readTimeline(this.#session, row, row.lsn),
      lsn: row.lsn,
      positions,
      lineageDigest: digest,
      replayedUntil: row.recovering ? (row.replayed_until?.toISOString() ?? null) : null,
      peak: row.recovering ? null : this.#ring.tick({ atMs, lsn, positions }),
      at,
    };
  }
}
