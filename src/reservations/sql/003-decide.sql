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

-- Decides a batch in order, in one transaction.
--
-- A batch is worked in chunks: one query looks up all that a chunk needs, the decisions are made in variables, then the rows are
-- written at once (rewriting a hot issuer's row for each command would leave a chain of dead versions inside the
-- transaction). A chunk ends before a command that names a token or a reservation which the chunk has already touched,
-- so that the look-up is never older than what it is used for.
--
-- A command whose text doesn't parse (class 22) has no effect either; the client names it like CP011.
--
-- The plan settings keep a plan that was made while the tables were small from scanning them when they are large.
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
  v_head bigint;
  v_start bigint;
  v_now timestamptz;
  v_count integer;
  v_next integer := 1;
  i integer;
  v_outcome text;
  v_reason text;
  v_event text;
  v_amount bigint;
  v_results text[] := '{}';
  -- Issuers touched by the chunk.
  s_issuer text[];
  s_limit bigint[];
  s_reserved bigint[];
  s_open integer[];
  s_position bigint[];
  s_known boolean[];
  -- Tokens and reservations named by the chunk.
  k_token text[];
  k_reservation text[];
  -- Decisions to write.
  w_command text[];
  w_event text[];
  w_issuer text[];
  w_desk text[];
  w_token text[];
  w_hash bytea[];
  w_outcome text[];
  w_reason text[];
  w_note text[];
  w_reservation text[];
  w_amount bigint[];
  w_reserved bigint[];
  w_limit bigint[];
  w_position bigint[];
begin
  perform capstan.demand_autocommit();
  select position into v_head from capstan.shard_head where shard_id = p_shard for update;
  select * into f from capstan.fence(p_cluster, p_epoch, p_shard, p_generation, p_term, true);
  if v_head is null then
    raise exception 'shard % has no head here', p_shard using errcode = 'CP004';
  end if;
  if pg_catalog.jsonb_typeof(p_commands) is distinct from 'array' then
    raise exception 'commands must be an array' using errcode = 'CP011';
  end if;
  v_count := pg_catalog.jsonb_array_length(p_commands);
  if v_count not between 1 and 1000 then
    raise exception 'a batch holds 1 to 1000 commands, not %', v_count using errcode = 'CP011';
  end if;
  v_start := v_head;
  v_now := capstan.wall_clock();

  while v_next <= v_count loop
    s_issuer := '{}'; s_limit := '{}'; s_reserved := '{}'; s_open := '{}'; s_position := '{}'; s_known := '{}';
    k_token := '{}'; k_reservation := '{}';
    w_command := '{}'; w_event := '{}'; w_issuer := '{}'; w_desk := '{}'; w_token := '{}'; w_hash := '{}';
    w_outcome := '{}'; w_reason := '{}'; w_note := '{}'; w_reservation := '{}'; w_amount := '{}'; w_reserved := '{}';
    w_limit := '{}'; w_position := '{}';
    for c in
      select q.ord, q.kind, q.issuer, q.token, q.desk, q.reservation, q.notional, q."limit", q.reason,
          pg_catalog.decode(q.hash, 'hex') as hash,
          e.limit_cents, e.reserved_cents, e.open_count,
          t.outcome as t_outcome, t.body_hash as t_hash,
          r.status as r_status, r.desk as r_desk, r.notional_cents as r_notional
        from rows from (pg_catalog.jsonb_to_recordset(p_commands) as (kind text, issuer text, token text, desk text,
            hash text, reservation text, notional bigint, "limit" bigint, reason text)) with ordinality
          as q(kind, issuer, token, desk, hash, reservation, notional, "limit", reason, ord)
        left join lateral (select limit_cents, reserved_cents, open_count from capstan.issuer_exposure
          where shard_id = p_shard and issuer_id = q.issuer limit 1) e on true
        left join lateral (select outcome, body_hash from capstan.reservation_token
          where shard_id = p_shard and issuer_id = q.issuer and reservation_token = q.token limit 1) t on true
        left join lateral (select status, desk, notional_cents from capstan.reservation
          where shard_id = p_shard and issuer_id = q.issuer and reservation_id = q.reservation limit 1) r on true
        where q.ord >= v_next
    loop
      if c.token = any (k_token) or c.reservation = any (k_reservation) then
        exit;
      end if;
      v_next := v_next + 1;
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

      i := pg_catalog.array_position(s_issuer, c.issuer);
      if i is null then
        s_issuer := s_issuer || c.issuer;
        s_limit := s_limit || c.limit_cents;
        s_reserved := s_reserved || c.reserved_cents;
        s_open := s_open || c.open_count;
        s_position := s_position || null::bigint;
        s_known := s_known || (c.limit_cents is not null);
        i := pg_catalog.cardinality(s_issuer);
      end if;
      v_reason := null;
      v_amount := null;
      case c.kind
        when 'reserve' then
          v_amount := c.notional;
          if v_amount is null or v_amount <= 0 or v_amount > 100000000000000000 or c.reservation is null then
            raise exception 'command % lacks a reservation or a notional within bounds', c.ord using errcode = 'CP011';
          end if;
          if s_limit[i] is null then
            v_results := v_results || '{"refused":"issuer_not_found"}'::text;
            continue;
          elsif c.r_status is not null then
            v_results := v_results || '{"refused":"reservation_exists"}'::text;
            continue;
          elsif v_amount > s_limit[i] - s_reserved[i] then
            v_outcome := 'rejected'; v_reason := 'insufficient_headroom'; v_event := 'reserve_rejected';
          else
            v_outcome := 'confirmed'; v_event := 'reserved';
            s_reserved[i] := s_reserved[i] + v_amount;
            s_open[i] := s_open[i] + 1;
          end if;
        when 'release' then
          v_amount := c.r_notional;
          if s_limit[i] is null then
            v_results := v_results || '{"refused":"issuer_not_found"}'::text;
            continue;
          elsif c.r_status is null then
            v_results := v_results || '{"refused":"reservation_not_found"}'::text;
            continue;
          elsif c.r_desk <> c.desk then
            v_results := v_results || '{"refused":"not_your_reservation"}'::text;
            continue;
          elsif c.r_status = 'released' then
            v_outcome := 'rejected'; v_reason := 'already_released'; v_event := 'release_rejected';
          else
            v_outcome := 'confirmed'; v_event := 'released';
            s_reserved[i] := s_reserved[i] - v_amount;
            s_open[i] := s_open[i] - 1;
            update capstan.reservation set status = 'released', position = v_head + 1
              where shard_id = p_shard and issuer_id = c.issuer and reservation_id = c.reservation;
          end if;
        when 'set-limit', 'correct' then
          v_amount := c."limit";
          if v_amount is null or v_amount < 0 or v_amount > 100000000000000000
            or (c.kind = 'correct' and c.reason is null) then
            raise exception 'command % lacks a limit within bounds, or a reason', c.ord using errcode = 'CP011';
          end if;
          if c.kind = 'correct' and s_limit[i] is null then
            v_results := v_results || '{"refused":"issuer_not_found"}'::text;
            continue;
          end if;
          v_outcome := 'confirmed';
          v_event := case c.kind when 'correct' then 'corrected' else 'limit_set' end;
          s_limit[i] := v_amount;
          s_reserved[i] := coalesce(s_reserved[i], 0);
          s_open[i] := coalesce(s_open[i], 0);
        when 'settle' then
          v_outcome := 'abandoned'; v_event := 'abandoned';
        else
          raise exception 'command % has an unknown kind', c.ord using errcode = 'CP011';
      end case;

      v_head := v_head + 1;
      if v_outcome = 'confirmed' then
        s_position[i] := v_head;
      end if;
      k_token := k_token || c.token;
      k_reservation := k_reservation || c.reservation;
      w_command := w_command || c.kind;
      w_event := w_event || v_event;
      w_issuer := w_issuer || c.issuer;
      w_desk := w_desk || c.desk;
      w_token := w_token || c.token;
      w_hash := w_hash || c.hash;
      w_outcome := w_outcome || v_outcome;
      w_reason := w_reason || v_reason;
      w_note := w_note || c.reason;
      w_reservation := w_reservation || c.reservation;
      w_amount := w_amount || v_amount;
      w_reserved := w_reserved || s_reserved[i];
      w_limit := w_limit || s_limit[i];
      w_position := w_position || v_head;
      v_results := v_results || capstan.outcome_json(false, c.kind, v_outcome, v_head, p_generation, p_term, v_reason,
        c.reservation, v_amount, s_reserved[i], s_limit[i], v_now)::text;
    end loop;

    for i in 1 .. pg_catalog.cardinality(s_issuer) loop
      if s_position[i] is null then
        continue; -- only refused, rejected or abandoned: the exposure is as it was
      elsif s_known[i] then
        update capstan.issuer_exposure
          set limit_cents = s_limit[i], reserved_cents = s_reserved[i], open_count = s_open[i], position = s_position[i]
          where shard_id = p_shard and issuer_id = s_issuer[i];
      else
        insert into capstan.issuer_exposure (shard_id, issuer_id, limit_cents, reserved_cents, open_count, position)
          values (p_shard, s_issuer[i], s_limit[i], s_reserved[i], s_open[i], s_position[i]);
      end if;
    end loop;
    if pg_catalog.cardinality(w_position) > 0 then
      with w as materialized (
        select * from unnest(w_command, w_event, w_issuer, w_desk, w_token, w_hash, w_outcome, w_reason, w_note,
            w_reservation, w_amount, w_reserved, w_limit, w_position)
          as w(command, event, issuer, desk, token, hash, outcome, reason, note, reservation, amount, reserved, lim, position)
      ), made as (
        insert into capstan.reservation (shard_id, issuer_id, reservation_id, desk, notional_cents, status,
            reservation_token, decided_position, position, decided_at)
          select p_shard, issuer, reservation, desk, amount, 'confirmed', token, position, position, v_now
            from w where event = 'reserved'
      ), remembered as (
        insert into capstan.reservation_token (shard_id, issuer_id, reservation_token, command, desk, body_hash, outcome,
            reason, reservation_id, amount_cents, reserved_after, limit_after, position, generation, term, decided_at)
          select p_shard, issuer, token, command, desk, hash, outcome, reason, reservation, amount, reserved, lim,
              position, p_generation, p_term, v_now
            from w
      )
      insert into capstan.outbox (shard_id, position, generation, term, event, issuer_id, desk, reservation_token,
          reservation_id, amount_cents, reserved_after, limit_after, reason, decided_at)
        select p_shard, position, p_generation, p_term, event, issuer, desk, token, reservation, amount, reserved, lim,
            coalesce(reason, note), v_now
          from w;
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
