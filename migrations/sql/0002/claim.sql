-- Work that waits and that nobody holds: none while a fence stands. Where there is more than is asked for, each
-- goes by what its user has already: the conversations held now and the user's older ones that wait, shared by
-- the user's weight; then the oldest comes first. So one user's thousand do not keep another's only one waiting.
-- To count all that waits at each claim would cost more the longer the queue is. The queue is looked at from its
-- old end, a window at a time, each time without the users seen by then: until there were enough different users,
-- and among them as many that hold nothing as are asked for; only a flood's own rows are stepped over for that.
-- A lease that ran out counts as an attempt of what its holder had in hand, the first that was handed out, so that
-- a message which kills its worker is not tried for ever.
CREATE OR REPLACE FUNCTION parley_claim_v1(instance text, mine uuid[], most int, lease_seconds float8)
RETURNS SETOF jsonb LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  enough CONSTANT int := 32;
  width CONSTANT int := most + 64;
  moment timestamptz := clock_timestamp();
  since timestamptz := '-infinity';
  seen record;
  ids uuid[] := '{}';      -- what waits, oldest first, and beside it
  owners uuid[] := '{}';   -- whose it is
  known uuid[] := '{}';    -- the users among them, and beside them
  holds int[] := '{}';     -- what each holds now
  weights real[] := '{}';
  claimed uuid[];
  orphaned uuid[];
BEGIN
  IF EXISTS (SELECT 1 FROM fences f WHERE f.lifted_at IS NULL) THEN
    RETURN;
  END IF;

  LOOP
    WITH looked AS (
      SELECT c.id, c.user_id, c.wake_at FROM conversations c
       WHERE c.wake_at BETWEEN since AND moment AND (c.lease_until IS NULL OR c.lease_until < moment)
         AND c.account_id = ANY (mine) AND c.user_id <> ALL (known)
       ORDER BY c.wake_at LIMIT width
    )
    SELECT count(*) AS many, max(l.wake_at) AS newest, array_agg(l.id ORDER BY l.wake_at) AS ids,
           array_agg(l.user_id ORDER BY l.wake_at) AS owners INTO seen
      FROM looked l;
    EXIT WHEN seen.many = 0;
    ids := ids || seen.ids;
    owners := owners || seen.owners;
    since := seen.newest;
    EXIT WHEN cardinality(ids) <= most;  -- all of them are claimed: nobody stands before anybody

    SELECT known || array_agg(u.id), weights || array_agg(u.weight), holds || array_agg((
             SELECT count(*)::int FROM conversations h
              WHERE h.user_id = u.id AND h.lease_owner IS NOT NULL AND h.lease_until >= moment))
      INTO known, weights, holds
      FROM users u WHERE u.id = ANY (seen.owners);
    EXIT WHEN seen.many < width
           OR cardinality(known) >= enough AND cardinality(array_positions(holds, 0)) >= most;
  END LOOP;
  IF ids = '{}' THEN
    RETURN;
  END IF;

  WITH waiting AS (
    SELECT w.id, w.place, array_position(known, w.user_id) AS slot,
           row_number() OVER (PARTITION BY w.user_id ORDER BY w.place) AS rank
      FROM unnest(ids, owners) WITH ORDINALITY AS w(id, user_id, place)
  ), free AS (
    SELECT c.id, c.lease_owner IS NOT NULL AS orphan
      FROM waiting w JOIN conversations c ON c.id = w.id
     WHERE c.wake_at <= moment AND (c.lease_until IS NULL OR c.lease_until < moment)
     ORDER BY (holds[w.slot] + w.rank) / weights[w.slot], w.place LIMIT most FOR UPDATE OF c SKIP LOCKED
  ), taken AS (
    UPDATE conversations c
       SET lease_owner = instance, lease_token = c.lease_token + 1,
           lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
      FROM free WHERE c.id = free.id
    RETURNING c.id, free.orphan
  )
  SELECT array_agg(t.id), array_agg(t.id) FILTER (WHERE t.orphan) INTO claimed, orphaned FROM taken t;

  IF claimed IS NULL THEN
    RETURN;
  END IF;
  IF orphaned IS NOT NULL THEN
    UPDATE inbox i SET attempts = i.attempts + 1
      FROM (SELECT DISTINCT ON (w.conversation_id) w.id FROM inbox w
             WHERE w.conversation_id = ANY (orphaned) AND w.state <> 'done'
             ORDER BY w.conversation_id, w.state = 'running' DESC, w.kind = 'stop' DESC, w.seq) w
     WHERE i.id = w.id;
  END IF;

  RETURN QUERY
  SELECT parley_work_v1(c) || jsonb_build_object('unfinished', (
    SELECT jsonb_build_object(
             'id', t.id, 'state', t.state, 'attempts', t.attempts, 'end', t.outcome,
             'kind', t.kind, 'error', t.error,
             'calls', (SELECT count(*) FROM model_calls m WHERE m.turn_id = t.id),
             'open_call', (SELECT jsonb_build_object('id', m.id, 'model', m.model, 'reserved_prompt', m.reserved_prompt)
                             FROM model_calls m WHERE m.turn_id = t.id AND m.state = 'reserved'
                            ORDER BY m.attempt DESC LIMIT 1),
             'taken', (SELECT jsonb_agg(to_jsonb(w) ORDER BY w.seq) FROM (
                SELECT i.id AS inbox_id, i.seq, i.kind, i.user_id, i.payload, i.sent_at, i.accepted_at,
                       parley_asked_at_v1(i.sent_at, i.accepted_at) AS asked_at, i.attempts, i.revision,
                       i.dedupe_key, u.preferred_model, u.is_blocked AS blocked
                  FROM inbox i JOIN users u ON u.id = i.user_id WHERE i.turn_id = t.id AND i.state <> 'done') w),
             'parts', (SELECT coalesce(jsonb_agg(to_jsonb(o) ORDER BY o.part, o.created_at), '[]'::jsonb)
                         FROM outbox o WHERE o.turn_id = t.id))
      FROM turns t WHERE t.conversation_id = c AND t.state <> 'closed' ORDER BY t.started_at LIMIT 1))
    FROM unnest(claimed) AS c;
END $$;
