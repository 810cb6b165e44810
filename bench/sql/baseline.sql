-- The baselines' own tables: the same shape as a decision (token, exposure, reservation, log), without any fence.
CREATE TABLE head (shard_id int PRIMARY KEY, position bigint NOT NULL DEFAULT 0) WITH (fillfactor = 20);
CREATE TABLE exposure (
  issuer_id text PRIMARY KEY,
  shard_id int NOT NULL,
  limit_cents bigint NOT NULL,
  reserved_cents bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
CREATE TABLE reservation (
  issuer_id text, reservation_id text, desk text NOT NULL, notional_cents bigint NOT NULL, position bigint NOT NULL,
  PRIMARY KEY (issuer_id, reservation_id)
);
CREATE TABLE token (
  issuer_id text, token text, outcome text NOT NULL, position bigint NOT NULL,
  PRIMARY KEY (issuer_id, token)
);
CREATE TABLE log (shard_id int, position bigint, payload jsonb NOT NULL, PRIMARY KEY (shard_id, position));

INSERT INTO head (shard_id) SELECT generate_series(0, 479);
INSERT INTO exposure (issuer_id, shard_id, limit_cents)
SELECT 'BENCH-' || i, i % 480, 100000000000000000 FROM generate_series(0, 479) AS i;

CREATE FUNCTION decide_one(p_issuer text, p_token text, p_desk text, p_notional bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_shard int;
  v_position bigint;
  v_limit bigint;
  v_reserved bigint;
  v_outcome text;
BEGIN
  SELECT shard_id INTO v_shard FROM exposure WHERE issuer_id = p_issuer;
  SELECT position + 1 INTO v_position FROM head WHERE shard_id = v_shard FOR UPDATE;
  SELECT outcome INTO v_outcome FROM token WHERE issuer_id = p_issuer AND token = p_token;
  IF FOUND THEN
    RETURN v_outcome;
  END IF;
  SELECT limit_cents, reserved_cents INTO v_limit, v_reserved FROM exposure WHERE issuer_id = p_issuer;
  v_outcome := CASE WHEN v_reserved + p_notional <= v_limit THEN 'confirmed' ELSE 'rejected' END;
  IF v_outcome = 'confirmed' THEN
    UPDATE exposure SET reserved_cents = reserved_cents + p_notional WHERE issuer_id = p_issuer;
    INSERT INTO reservation VALUES (p_issuer, 'R-' || p_token, p_desk, p_notional, v_position);
  END IF;
  INSERT INTO token VALUES (p_issuer, p_token, v_outcome, v_position);
  INSERT INTO log VALUES (v_shard, v_position, jsonb_build_object('issuer', p_issuer, 'token', p_token, 'outcome', v_outcome));
  UPDATE head SET position = v_position WHERE shard_id = v_shard;
  RETURN v_outcome;
END $$;
