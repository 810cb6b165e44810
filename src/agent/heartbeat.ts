import { timestampOf } from '../clock/clock.ts';
import type { FollowerFacts, HeartbeatRecord } from '../domain/agent-reports.ts';
import type { MemberState } from '../domain/records.ts';
import { messageOf } from '../domain/errors.ts';
import { parseLsn } from '../domain/lsn.ts';
import type { MemberContext } from './context.ts';
import { parseFollowerName } from './follower-name.ts';
import type { AgentLiveness } from './liveness.ts';
import type { Session } from './local-session.ts';
import { readTimeline, TIMELINE_COLUMNS, type TimelineRow } from './replay-timeline.ts';
import type { Walsender } from './sync-set.ts';

/** What the other parts know, asked at each beat. */
export interface HeartbeatSources {
  readonly state: () => { readonly state: MemberState; readonly reason: string | null };
  readonly leaseLeftMs: () => number | null;
  readonly walsenders: () => readonly Walsender[];
  readonly epoch: () => number;
}

interface BeatRow extends TimelineRow {
  readonly recovering: boolean;
  readonly received: string | null;
  readonly replayed: string | null;
  readonly flushed: string | null;
  readonly names: string;
}

const BEAT = `
  select pg_is_in_recovery() as recovering,
    pg_last_wal_receive_lsn()::text as received,
    pg_last_wal_replay_lsn()::text as replayed,
    case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_flush_lsn() end::text as flushed,
    ${TIMELINE_COLUMNS},
    current_setting('synchronous_standby_names') as names`;

const BEAT_TIMEOUT_MS = 800;

/** Tells etcd this member's facts at the contract's cadence, under a liveness lease: silence removes them. */
export class Heartbeat {
  readonly #context: MemberContext;
  readonly #session: Session;
  readonly #sources: HeartbeatSources;
  readonly #liveness: AgentLiveness;

  constructor(options: {
    readonly context: MemberContext;
    readonly session: Session;
    readonly liveness: AgentLiveness;
    readonly sources: HeartbeatSources;
  }) {
    this.#context = options.context;
    this.#session = options.session;
    this.#liveness = options.liveness;
    this.#sources = options.sources;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { contract, logger, clock } = this.#context;
    while (!signal.aborted) {
      const begun = clock.monotonicMs();
      try {
        await this.beat();
      } catch (error) {
        logger.debug({ reason: messageOf(error) }, 'heartbeat not written');
      }
      await clock.sleep(contract.liveness.heartbeatEveryMs - (clock.monotonicMs() - begun), signal);
    }
  }

  async beat(): Promise<void> {
    const { etcd, keys, cluster, member, contract } = this.#context;
    const record = await this.#record();
    const key = keys.heartbeat(cluster, member);
    const value = JSON.stringify(record);
    await this.#liveness.write((leaseId) =>
      etcd.transact([], [{ kind: 'put', key, value, leaseId }], { timeoutMs: contract.deadlines.etcdMs }),
    );
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  async #record(): Promise<HeartbeatRecord> {
    const { cluster, member, region, memory, version, clock } = this.#context;
    const row = await this.#session
      .query<BeatRow>(BEAT, [], BEAT_TIMEOUT_MS)
      .then(([first]) => first)
      .catch(() => undefined);
    const { state, reason } = this.#sources.state();
    return {
      member,
      cluster,
      region,
      incarnation: memory.value.incarnation,
      state,
      reason,
      term: memory.value.highestTerm,
      epoch: this.#sources.epoch(),
      timeline: await this.#timelineOf(row),
      postgresUp: row !== undefined,
      writable: row?.recovering === false,
      receivedLsn: row?.received ?? null,
      replayedLsn: row?.replayed ?? null,
      flushedLsn: row?.flushed ?? null,
      leaseLeftMs: this.#sources.leaseLeftMs(),
      synchronousStandbyNames: row?.names ?? null,
      followers: row?.recovering === false ? followers(this.#sources.walsenders(), row.flushed) : [],
      version,
      at: timestampOf(clock),
    };
  }

  async #timelineOf(row: BeatRow | undefined): Promise<number | null> {
    if (row === undefined) return null;
    return readTimeline(this.#session, row, row.replayed).catch(() => null);
  }
}

function followers(walsenders: readonly Walsender[], flushed: string | null): FollowerFacts[] {
  const mine = flushed === null ? undefined : parseLsn(flushed);
  return walsenders.flatMap((row) => {
    const voter = parseFollowerName(row.name);
    if (voter === undefined) return [];
    const replayed = row.replayedLsn === null ? undefined : parseLsn(row.replayedLsn);
    const lag = mine === undefined || replayed === undefined ? undefined : mine - replayed;
    return [
      {
        ...voter,
        syncState: row.syncState,
        flushedLsn: row.flushedLsn,
        replayedLsn: row.replayedLsn,
        lagBytes: lag === undefined ? null : String(lag < 0n ? 0n : lag),
      },
    ];
  });
}
