-- The decision path's tables. Amounts are whole cents. Every row carries the position of its last change.
-- Runs as the superuser in the estate's database; the roles and the schema exist.

set local role capstan_owner;

-- The highest that this Postgres has seen; replicated, so that a follower inherits it.
create table capstan.cluster_state (
  one boolean primary key default true check (one),
  cluster text not null,
  epoch integer not null check (epoch > 0),
  term integer not null check (term > 0),
  estate_incarnation text
);

-- Which shards this cluster owns. Local: never carried by logical replication. `map_version` is that of the entry which said so.
create table capstan.shard_authority (
  shard_id integer primary key,
  cluster text not null,
  generation integer not null check (generation > 0),
  state text not null check (state in ('serving', 'sealed', 'moved')),
  map_version bigint not null default 0
);

-- The shard's sequencer: its row lock admits one batch at a time. Low fillfactor, for each batch rewrites the row.
create table capstan.shard_head (
  shard_id integer primary key,
  position bigint not null check (position >= 0),
  generation integer not null,
  term integer not null,
  epoch integer not null,
  decided_at timestamptz,
  marker text
) with (fillfactor = 10);

create table capstan.issuer_exposure (
  shard_id integer,
  issuer_id text,
  limit_cents bigint not null check (limit_cents between 0 and 100000000000000000),
  reserved_cents bigint not null check (reserved_cents >= 0),
  open_count integer not null check (open_count >= 0),
  position bigint not null,
  primary key (shard_id, issuer_id)
) with (fillfactor = 50);

create table capstan.reservation (
  shard_id integer,
  issuer_id text,
  reservation_id text,
  desk text not null,
  notional_cents bigint not null check (notional_cents > 0),
  status text not null,
  reservation_token text not null,
  decided_position bigint not null,
  position bigint not null,
  decided_at timestamptz not null,
  primary key (shard_id, issuer_id, reservation_id)
);
-- Open reservations are listed by id; without this an issuer's released ones would be read over each time.
create index reservation_open on capstan.reservation (shard_id, issuer_id, reservation_id) where status = 'confirmed';

-- One outcome a token, for ever. `body_hash` is null for a token that was settled before its original arrived.
create table capstan.reservation_token (
  shard_id integer,
  issuer_id text,
  reservation_token text,
  command text not null,
  desk text not null,
  body_hash bytea,
  outcome text not null,
  reason text,
  reservation_id text,
  amount_cents bigint,
  reserved_after bigint,
  limit_after bigint,
  position bigint not null,
  generation integer not null,
  term integer not null,
  decided_at timestamptz not null,
  primary key (shard_id, issuer_id, reservation_token)
);

-- The log: dense positions within a shard.
create table capstan.outbox (
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
  primary key (shard_id, position)
);

-- Which authority decided which positions.
create table capstan.lineage (
  shard_id integer,
  generation integer,
  term integer,
  first_position bigint not null,
  cluster text not null,
  reason text not null,
  began_at timestamptz not null,
  primary key (shard_id, generation, term)
);

-- The leader's right to decide. UNLOGGED: not replicated, empty after a crash or a promotion, so it fails closed.
create unlogged table capstan.lease (
  one boolean primary key default true check (one),
  cluster text not null,
  term integer not null,
  epoch integer not null,
  leader text not null,
  grant_id uuid not null,
  postmaster_started_at timestamptz not null,
  granted_at timestamptz not null,
  expires_at timestamptz not null,
  granted_uptime_ms bigint,
  expires_uptime_ms bigint,
  rpo_until timestamptz,
  admission text not null check (admission in ('open', 'closed')),
  admission_reason text,
  sync_names text not null,
  sync_required integer not null check (sync_required >= 0),
  sync_members text[] not null,
  degraded boolean not null,
  rpo_lag_ms bigint,
  rpo_claim text,
  check (degraded = (sync_names = ''))
) with (fillfactor = 10);

-- What makes the commit check fire for a transaction that calls `guard`; its rows never outlive their transaction.
create unlogged table capstan.guard_entry (
  entry_id bigint generated always as identity primary key,
  shard_id integer not null,
  epoch integer not null,
  generation integer not null,
  term integer not null
);

reset role;
