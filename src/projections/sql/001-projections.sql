-- The projections: what is read from the log, folded. Written by projectors alone, each shard's rows with its watermark in one
-- transaction. Amounts are whole cents. Runs as the superuser in the projections' database; the roles and the schema exist.
create extension if not exists pg_trgm with schema public;
set local role capstan_projections_owner;

-- Up to where each shard's rows reflect its log, under which authority that position was decided, and the hash of all up to it.
create table projection.watermark (
  shard_id integer primary key,
  position bigint not null default 0 check (position >= 0),
  generation integer not null default 0,
  term integer not null default 0,
  decided_at timestamptz,
  chain bytea not null default pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex') check (pg_catalog.length(chain) = 32),
  -- The last applied entry, canonical: what a source must hold at this position.
  last_entry text,
  -- The cluster that it was last read from.
  cluster text,
  -- The log held nothing beyond `position` at this moment, as far as this shard was asked for by itself.
  as_of timestamptz,
  -- The projector's mark that counts for this shard as long as it is caught up with it; null: none does.
  source text,
  state text not null default 'live' check (state in ('live', 'gap', 'forked', 'rebuilding')),
  state_reason text,
  rebuilds integer not null default 0,
  applied_at timestamptz
) with (fillfactor = 50);

-- One row a projector and cluster: at `as_of` nothing that the cluster's log held was missing from any shard that names this source.
create table projection.source_mark (
  source text primary key,
  cluster text not null,
  member text not null,
  as_of timestamptz,
  marked_at timestamptz not null
) with (fillfactor = 20);

-- Paused by a person: nothing is applied to these shards (null: to any).
create table projection.pause (
  shard_id integer,
  reason text not null,
  operator text not null,
  paused_at timestamptz not null default pg_catalog.now(),
  unique nulls not distinct (shard_id)
);

-- Why a shard was folded anew, by whom; never deleted.
create table projection.rebuild (
  rebuild_id bigint generated always as identity primary key,
  shard_id integer not null,
  reason text not null,
  requested_by text not null,
  requested_at timestamptz not null default pg_catalog.now(),
  from_position bigint,
  to_position bigint,
  finished_at timestamptz
);
create index rebuild_open on projection.rebuild (shard_id) where finished_at is null;

create table projection.issuer (
  shard_id integer,
  issuer_id text,
  limit_cents bigint not null,
  reserved_cents bigint not null,
  open_count integer not null,
  -- Of the last change of any of these.
  position bigint not null,
  changed_at timestamptz not null,
  primary key (shard_id, issuer_id)
) with (fillfactor = 50);
create index issuer_by_name on projection.issuer (issuer_id text_pattern_ops);

-- Every decision, and of a reservation what has become of it since. What changes is in no index, so that a release rewrites one row of
-- the heap and none of an index.
create table projection.decision (
  shard_id integer,
  position bigint,
  generation integer not null,
  term integer not null,
  event text not null,
  issuer_id text not null,
  desk text not null,
  reservation_token text not null,
  reservation_id text,
  amount_cents bigint,
  reserved_after bigint,
  limit_after bigint,
  reason text,
  decided_at timestamptz not null,
  -- Of `reserved`: open, released. Of everything else: rejected, abandoned, final.
  status text not null check (status in ('open', 'released', 'rejected', 'abandoned', 'final')),
  -- Of a released one: the position and time of its release.
  released_position bigint,
  released_at timestamptz,
  words tsvector not null generated always as (
    pg_catalog.to_tsvector('simple', pg_catalog.translate(issuer_id || ' ' || desk || ' ' || reservation_token || ' '
      || coalesce(reservation_id, '') || ' ' || coalesce(reason, ''), '-_./:', '     '))
  ) stored,
  primary key (shard_id, position)
) with (fillfactor = 80);
create unique index decision_reservation on projection.decision (shard_id, issuer_id, reservation_id) where event = 'reserved';
create index decision_of_issuer on projection.decision (issuer_id text_pattern_ops, shard_id, position desc);
create index decision_by_time on projection.decision (decided_at, shard_id, position);
create index decision_by_desk on projection.decision (desk, decided_at);
create index decision_by_event on projection.decision (event, decided_at);
create index decision_by_amount on projection.decision (amount_cents);
-- Equality is all that is asked of these two.
create index decision_token on projection.decision using hash (reservation_token);
create index decision_reservation_id on projection.decision using hash (reservation_id);
create index decision_words on projection.decision using gin (words);
create index decision_issuer_trigrams on projection.decision using gin (issuer_id public.gin_trgm_ops);

-- What is open now: few rows of many decisions.
create table projection.open_reservation (
  shard_id integer,
  issuer_id text,
  reservation_id text,
  desk text not null,
  amount_cents bigint not null,
  reservation_token text not null,
  position bigint not null,
  decided_at timestamptz not null,
  primary key (shard_id, issuer_id, reservation_id)
) with (autovacuum_vacuum_scale_factor = 0.05);

-- Open exposure by desk, for the risk report.
create table projection.desk_exposure (
  shard_id integer,
  desk text,
  open_cents bigint not null,
  open_count bigint not null,
  position bigint not null,
  primary key (shard_id, desk)
) with (fillfactor = 50);
reset role;
