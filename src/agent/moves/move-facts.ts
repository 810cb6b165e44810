import type { SlotState } from '../../domain/move-records.ts';
import type { Session } from '../local-session.ts';

export interface SubscriptionFacts {
  readonly name: string;
  readonly enabled: boolean;
  /** Whether its apply worker runs. */
  readonly applies: boolean;
  /** How far its worker has received; null: not since it started. */
  readonly receivedLsn: string | null;
  /** At which a worker of it stopped, since the subscription was made. */
  readonly errors: number;
  readonly tables: { readonly total: number; readonly ready: number };
  /** The tables that are being copied right now. */
  readonly copying: readonly { readonly table: string; readonly rows: string; readonly bytes: string }[];
}

export interface SlotFacts {
  readonly name: string;
  /** `absent` while it is still being made. */
  readonly state: SlotState;
  readonly activePid: number | null;
  readonly confirmedLsn: string | null;
  readonly retainedBytes: string | null;
}

/** What this Postgres has of any move, and of table copies that other clusters' subscriptions make from here. */
export interface MoveFacts {
  readonly subscriptions: readonly SubscriptionFacts[];
  readonly publications: readonly string[];
  readonly slots: readonly SlotFacts[];
  /** Slots that table copies of a subscription elsewhere use, `pg_<oid>_sync_<relid>_<system identifier>`. */
  readonly copySlots: readonly SlotFacts[];
  readonly flushedLsn: string;
}

/** (Postgres docs, "pg_subscription_rel", "pg_stat_subscription", "pg_stat_progress_copy", "pg_replication_slots".) */
const MOVE_FACTS = `
  select pg_current_wal_flush_lsn()::text as "flushedLsn",
    (select coalesce(json_agg(json_build_object(
        'name', s.subname, 'enabled', s.subenabled, 'applies', w.pid is not null, 'receivedLsn', w.received_lsn::text,
        'errors', coalesce(e.apply_error_count + e.sync_error_count, 0),
        'tables', (select json_build_object('total', count(*), 'ready', count(*) filter (where srsubstate = 'r'))
          from pg_subscription_rel where srsubid = s.oid),
        'copying', (select coalesce(json_agg(json_build_object('table', p.relid::regclass::text,
            'rows', p.tuples_processed::text, 'bytes', p.bytes_processed::text)), '[]')
          from pg_stat_subscription t join pg_stat_progress_copy p on p.pid = t.pid where t.subid = s.oid))), '[]')
      from pg_subscription s
      left join pg_stat_subscription w on w.subid = s.oid and w.relid is null
      left join pg_stat_subscription_stats e on e.subid = s.oid
      where s.subdbid = (select oid from pg_database where datname = current_database())
        and s.subname like 'capstan\\_%') as subscriptions,
    (select coalesce(json_agg(pubname), '[]') from pg_publication where pubname like 'capstan\\_%') as publications,
    (select coalesce(json_agg(json_build_object('name', slot_name, 'activePid', active_pid,
        'state', case when wal_status = 'lost' then 'lost' when confirmed_flush_lsn is null then 'absent'
          when active then 'active' else 'made' end,
        'confirmedLsn', confirmed_flush_lsn::text,
        'retainedBytes', pg_wal_lsn_diff(pg_current_wal_flush_lsn(), restart_lsn)::bigint::text)), '[]')
      from pg_replication_slots where slot_type = 'logical' and database = current_database()) as slots`;

const COPY_SLOT = /^pg_\d+_sync_\d+_(\d+)$/;

/** The system identifier of whose Postgres a copy slot is; undefined for any other slot. */
export const copierOf = (slot: string): string | undefined => COPY_SLOT.exec(slot)?.[1];

/** All of it in one snapshot. Needs the superuser. */
export async function readMoveFacts(session: Session): Promise<MoveFacts> {
  const row = await session.one<Omit<MoveFacts, 'copySlots'> & Record<string, unknown>>(MOVE_FACTS);
  return {
    flushedLsn: row.flushedLsn,
    subscriptions: row.subscriptions,
    publications: row.publications,
    slots: row.slots.filter(({ name }) => name.startsWith('capstan_')),
    copySlots: row.slots.filter(({ name }) => copierOf(name) !== undefined),
  };
}

/** What is named by this prefix, or isn't. */
export function pickFacts(facts: MoveFacts, isNamed: (name: string) => boolean): MoveFacts {
  return {
    ...facts,
    subscriptions: facts.subscriptions.filter(({ name }) => isNamed(name)),
    publications: facts.publications.filter(isNamed),
    slots: facts.slots.filter(({ name }) => isNamed(name)),
  };
}
