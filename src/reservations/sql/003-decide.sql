-- The decision path: the only way in for the gateway's role.
set local role capstan_owner;

create function capstan.outcome_json(
  p_replayed boolean, p_command text, p_outcome text, p_position bigint, p_generation integer, p_term integer,
  p_reason text, p_reservation text, p_amount bigint, p_reserved_after bigint, p_limit_after bigint, p_decided_at timestamptz
) returns json
language sql stable as $$
  select pg_catalog.json_build_object(
    'outcome', p_outcome, 'replayed', p_replayed, 'command', p_command, 'position', p_position::text,
    'generation', p_generation, 'term', p_term, 'reason', p_reason, 'reservation', p_reservation,
    'notional', p_amount::text, 'remaining', (p_limit_after - p_reserved_after)::text,
    'reserved_after', p_reserved_after::text, 'limit_after', p_limit_after::text, 'decided_at', p_decided_at)
$$;

-- A token's stored outcome, or null.
create function capstan.stored_outcome(p_shard integer, p_issuer text, p_token text) returns json
language sql stable as $$
  select capstan.outcome_json(true, command, outcome, position, generation, term, reason, reservation_id, amount_cents,
      reserved_after, limit_after, decided_at)
    from capstan.reservation_token
    where shard_id = p_shard and issuer_id = p_issuer and reservation_token = p_token
$$;

-- What a chunk of a batch decided, and what it made of an issuer's exposure (`position` null: nothing).
create type capstan.decision as (
  command text, event text, issuer text, desk text, token text, hash bytea, outcome text, reason text, note text,
  reservation text, amount bigint, reserved_after bigint, limit_after bigint, position bigint
);
create type capstan.exposure_change as (
  issuer text, limit_cents bigint, reserved_cents bigint, open_count integer, position bigint
);

-- Decides a batch in order, in one transaction.
--
-- A batch is worked in chunks: one query looks up all that a chunk needs, the decisions are made in variables, then the rows are
-- written at once (rewriting a hot issuer's row for each command would leave a chain of dead versions inside the
-- transaction). A chunk ends before a command that names a token or a reservation which the chunk has already touched,
-- so that the look-up is never older than what it is used for.
--
-- A command whose text doesn't parse (class 22) has no effect either; the client names it like CP011.
--
-- The plan settings keep a plan that was made while the tables were small from scanning them when they are large. Variables
-- start null on purpose: each default would be one more expression to set up in each transaction.
create function capstan.decide(
  p_cluster text, p_epoch integer, p_shard integer, p_generation integer, p_term integer, p_commands jsonb
) returns json
language plpgsql volatile security definer
set search_path = capstan, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  f record;
  c record;
  e capstan.exposure_change;
  i integer;
  v_head bigint;
  v_start bigint;
  v_now timestamptz;
  v_count integer;
  v_done integer := 0;
  v_outcome text;
  v_reason text;
  v_event text;
  v_amount bigint;
  v_refused text;
  v_results text[];
  -- Of the chunk: its issuers and their exposure, the tokens and reservations (after a slash) it named, its decisions.
  s_issuers text[];
  s_exposures capstan.exposure_change[];
  s_named text[];
  s_decisions capstan.decision[];
begin
  if not capstan.is_alone() then
    perform capstan.refuse_shape();
  end if;
  select h.position, h.position into v_head, v_start
    from capstan.shard_head h where h.shard_id = p_shard for update;
  f := capstan.fence(p_cluster, p_epoch, p_shard, p_generation, p_term, true);
  v_now := f.checked_at;
  if v_head is null then
    raise exception 'shard % has no head here', p_shard using errcode = 'CP004';
  end if;
  v_count := case pg_catalog.jsonb_typeof(p_commands) when 'array' then pg_catalog.jsonb_array_length(p_commands) end;
  if v_count is null or v_count not between 1 and 1000 then
    raise exception 'commands must be an array of 1 to 1000' using errcode = 'CP011';
  end if;

  while v_done < v_count loop
    for c in
      select q.ord, q.kind, q.issuer, q.token, q.desk, q.reservation, q.notional, q."limit", q.reason,
          pg_catalog.decode(q.hash, 'hex') as hash,
          x.limit_cents, x.reserved_cents, x.open_count,
          t.outcome as t_outcome, t.body_hash as t_hash,
          r.status as r_status, r.desk as r_desk, r.notional_cents as r_notional
        from rows from (pg_catalog.jsonb_to_recordset(p_commands) as (kind text, issuer text, token text, desk text,
            hash text, reservation text, notional bigint, "limit" bigint, reason text)) with ordinality
          as q(kind, issuer, token, desk, hash, reservation, notional, "limit", reason, ord)
        left join lateral (select limit_cents, reserved_cents, open_count from capstan.issuer_exposure
          where shard_id = p_shard and issuer_id = q.issuer limit 1) x on true
        left join lateral (select outcome, body_hash from capstan.reservation_token
          where shard_id = p_shard and issuer_id = q.issuer and reservation_token = q.token limit 1) t on true
        left join lateral (select status, desk, notional_cents from capstan.reservation
          where shard_id = p_shard and issuer_id = q.issuer and reservation_id = q.reservation limit 1) r on true
        where q.ord > v_done
    loop
      exit when c.token = any (s_named) or '/' || c.reservation = any (s_named);
      v_done := v_done + 1;
      if c.issuer is null or c.token is null or c.desk is null or (c.hash is null and c.kind <> 'settle') then
        raise exception 'command % lacks issuer, token, desk or hash', c.ord using errcode = 'CP011';
      end if;

      if c.t_outcome is not null then
        v_results := v_results || case
          when c.kind = 'settle' or c.t_hash is null or c.t_hash = c.hash
            then capstan.stored_outcome(p_shard, c.issuer, c.token)::text
          else '{"refused":"token_reused"}'
        end;
        continue;
      end if;

      i := pg_catalog.array_position(s_issuers, c.issuer);
      if i is null then
        e := row(c.issuer, c.limit_cents, c.reserved_cents, c.open_count, null);
      else
        e := s_exposures[i];
      end if;
      case c.kind
        when 'reserve' then
          v_amount := c.notional;
          if v_amount is null or v_amount <= 0 or v_amount > 100000000000000000 or c.reservation is null then
            raise exception 'command % lacks a reservation or a notional within bounds', c.ord using errcode = 'CP011';
          elsif e.limit_cents is null then
            v_refused := 'issuer_not_found';
          elsif c.r_status is not null then
            v_refused := 'reservation_exists';
          elsif v_amount > e.limit_cents - e.reserved_cents then
            v_outcome := 'rejected'; v_reason := 'insufficient_headroom'; v_event := 'reserve_rejected';
          else
            v_outcome := 'confirmed'; v_event := 'reserved';
            e.reserved_cents := e.reserved_cents + v_amount;
            e.open_count := e.open_count + 1;
          end if;
        when 'release' then
          v_amount := c.r_notional;
          if c.reservation is null then
            raise exception 'command % lacks a reservation', c.ord using errcode = 'CP011';
          elsif e.limit_cents is null then
            v_refused := 'issuer_not_found';
          elsif c.r_status is null then
            v_refused := 'reservation_not_found';
          elsif c.r_desk <> c.desk then
            v_refused := 'not_your_reservation';
          elsif c.r_status = 'released' then
            v_outcome := 'rejected'; v_reason := 'already_released'; v_event := 'release_rejected';
          else
            v_outcome := 'confirmed'; v_event := 'released';
            e.reserved_cents := e.reserved_cents - v_amount;
            e.open_count := e.open_count - 1;
            update capstan.reservation set status = 'released', position = v_head + 1
              where shard_id = p_shard and issuer_id = c.issuer and reservation_id = c.reservation;
          end if;
        when 'set-limit', 'correct' then
          v_amount := c."limit";
          if v_amount is null or v_amount < 0 or v_amount > 100000000000000000
            or (c.kind = 'correct' and c.reason is null) then
            raise exception 'command % lacks a limit within bounds, or a reason', c.ord using errcode = 'CP011';
          elsif c.kind = 'correct' and e.limit_cents is null then
            v_refused := 'issuer_not_found';
          else
            v_outcome := 'confirmed';
            v_event := case c.kind when 'correct' then 'corrected' else 'limit_set' end;
            e := row(c.issuer, v_amount, coalesce(e.reserved_cents, 0), coalesce(e.open_count, 0), e.position);
          end if;
        when 'settle' then
          v_amount := null; v_outcome := 'abandoned'; v_event := 'abandoned';
        else
          raise exception 'command % has an unknown kind', c.ord using errcode = 'CP011';
      end case;
      if v_refused is not null then
        v_results := v_results || pg_catalog.format('{"refused":"%s"}', v_refused);
        v_refused := null;
        continue;
      end if;

      v_head := v_head + 1;
      if v_outcome = 'confirmed' then
        e.position := v_head;
      end if;
      if i is null then
        s_issuers := s_issuers || c.issuer;
        s_exposures := s_exposures || e;
      else
        s_exposures[i] := e;
      end if;
      s_named := s_named || array[c.token, '/' || c.reservation];
      s_decisions := s_decisions || row(c.kind, v_event, c.issuer, c.desk, c.token, c.hash, v_outcome, v_reason, c.reason,
        c.reservation, v_amount, e.reserved_cents, e.limit_cents, v_head)::capstan.decision;
      v_results := v_results || capstan.outcome_json(false, c.kind, v_outcome, v_head, p_generation, p_term, v_reason,
        c.reservation, v_amount, e.reserved_cents, e.limit_cents, v_now)::text;
      if v_reason is not null then
        v_reason := null;
      end if;
    end loop;

    if s_decisions is not null then
      with exposed as (
        insert into capstan.issuer_exposure as x (shard_id, issuer_id, limit_cents, reserved_cents, open_count, position)
          select p_shard, s.issuer, s.limit_cents, s.reserved_cents, s.open_count, s.position
            from unnest(s_exposures) s where s.position is not null
          on conflict (shard_id, issuer_id) do update
            set limit_cents = excluded.limit_cents, reserved_cents = excluded.reserved_cents,
              open_count = excluded.open_count, position = excluded.position
      ), made as (
        insert into capstan.reservation (shard_id, issuer_id, reservation_id, desk, notional_cents, status,
            reservation_token, decided_position, position, decided_at)
          select p_shard, d.issuer, d.reservation, d.desk, d.amount, 'confirmed', d.token, d.position, d.position, v_now
            from unnest(s_decisions) d where d.event = 'reserved'
      ), remembered as (
        insert into capstan.reservation_token (shard_id, issuer_id, reservation_token, command, desk, body_hash, outcome,
            reason, reservation_id, amount_cents, reserved_after, limit_after, position, generation, term, decided_at)
          select p_shard, d.issuer, d.token, d.command, d.desk, d.hash, d.outcome, d.reason, d.reservation, d.amount,
              d.reserved_after, d.limit_after, d.position, p_generation, p_term, v_now
            from unnest(s_decisions) d
      )
      insert into capstan.outbox (shard_id, position, generation, term, event, issuer_id, desk, reservation_token,
          reservation_id, amount_cents, reserved_after, limit_after, reason, decided_at)
        select p_shard, d.position, p_generation, p_term, d.event, d.issuer, d.desk, d.token, d.reservation, d.amount,
            d.reserved_after, d.limit_after, coalesce(d.reason, d.note), v_now
          from unnest(s_decisions) d;
    end if;
    if v_done < v_count then
      s_issuers := null; s_exposures := null; s_named := null; s_decisions := null;
    end if;
  end loop;

  if v_head > v_start then
    update capstan.shard_head
      set position = v_head, generation = p_generation, term = p_term, epoch = p_epoch, decided_at = v_now
      where shard_id = p_shard;
  end if;
  return pg_catalog.json_build_object('shard', p_shard, 'generation', p_generation, 'term', p_term, 'epoch', p_epoch,
    'left_ms', f.left_ms, 'degraded', f.degraded, 'rpo_lag_ms', f.rpo_lag_ms, 'rpo_claim', f.rpo_claim,
    'outcomes', ('[' || pg_catalog.array_to_string(v_results, ',') || ']')::json);
end $$;

reset role;
