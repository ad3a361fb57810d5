-- The four commits of a turn, as functions that take a whole batch of turns in one round trip.
--
-- `parley_commit_v1(batch)` takes sets of rows, each row with the number `n` of the write it belongs
-- to, and gives one result per arrival and closing, and one {"lost": true} per write whose lease is
-- old. Every statement of a VOLATILE function has its own snapshot, which the order here relies on:
--   1. births of users and conversations, sorted, while no lock is held;
--   2. all conversations of the batch locked, in the order of their ids;
--   3. only then, in later statements, reads and writes that see what the locks made us wait for.
-- The rows of a batch are few and everything they touch has an index: nested loops are the right plan
-- however small or unanalysed a table is, and the plans that are kept must not be made for an empty one.
-- Where a row is looked up by its id, its state is compared as `state || ''`: else a partial index on the
-- state seems to hold so little that all of it is read for every row of the batch.
-- Two releases can work on one database: a function keeps its name and what it takes. Where it must do more it is
-- replaced in place (the folders beside this file, by revision), such that older callers still understand it;
-- where they would not, the new one is a version beside it.

CREATE FUNCTION parley_births_v1(arrivals jsonb) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO users (id, tenant_id, account_id, channel_type, channel_user_id, username, language)
  SELECT DISTINCT ON (a.account_id, a.sender_id)
         a.user_id, a.tenant_id, a.account_id, a.channel, a.sender_id, a.sender_name, a.language
    FROM jsonb_to_recordset(arrivals) AS a(n int, user_id uuid, tenant_id uuid, account_id uuid, channel text,
                                           sender_id text, sender_name text, language text)
   WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.account_id = a.account_id
                        AND u.channel_type = a.channel AND u.channel_user_id = a.sender_id)
   ORDER BY a.account_id, a.sender_id, a.n
  ON CONFLICT (account_id, channel_type, channel_user_id) DO NOTHING;

  INSERT INTO conversations (id, tenant_id, account_id, user_id, channel_type, chat, thread, is_direct)
  SELECT DISTINCT ON (a.account_id, a.chat, a.thread)
         a.conversation_id, a.tenant_id, a.account_id, u.id, a.channel, a.chat, a.thread, a.direct
    FROM jsonb_to_recordset(arrivals) AS a(n int, conversation_id uuid, tenant_id uuid, account_id uuid,
                                           channel text, chat text, thread text, direct boolean, sender_id text)
    JOIN users u ON u.account_id = a.account_id AND u.channel_type = a.channel AND u.channel_user_id = a.sender_id
   WHERE NOT EXISTS (SELECT 1 FROM conversations c WHERE c.account_id = a.account_id
                        AND c.chat = a.chat AND c.thread = a.thread AND c.is_active)
   ORDER BY a.account_id, a.chat, a.thread, a.n
  ON CONFLICT (account_id, chat, thread) WHERE is_active DO NOTHING;
END $$;

-- What a holder needs to know of a conversation, with the messages that wait (a /stop first).
CREATE FUNCTION parley_work_v1(conversation uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT jsonb_build_object(
    'line', jsonb_build_object(
      'conversation_id', c.id, 'tenant_id', c.tenant_id, 'account_id', c.account_id, 'channel', c.channel_type,
      'chat', c.chat, 'thread', c.thread, 'direct', c.is_direct, 'model_override', c.model_override,
      'last_message_id', c.last_message_id, 'token', c.lease_token),
    'waiting', coalesce((
      SELECT jsonb_agg(to_jsonb(w) - 'first' ORDER BY w.first DESC, w.seq) FROM (
        SELECT i.id AS inbox_id, i.seq, i.kind, i.kind = 'stop' AS first, i.user_id, i.payload, i.sent_at,
               i.accepted_at, i.attempts, i.dedupe_key, u.preferred_model, u.is_blocked AS blocked
          FROM inbox i JOIN users u ON u.id = i.user_id
         WHERE i.conversation_id = c.id AND i.state = 'waiting'
         ORDER BY first DESC, i.seq LIMIT 50) w), '[]'::jsonb))
    FROM conversations c WHERE c.id = conversation);
END $$;

-- Only into conversations that this transaction has locked. An arrival gets no row, and is to be tried
-- again, when its conversation ended or was born since the locks were taken, and when the same message
-- is being accepted beside it: then the next try finds what became of it.
-- `holds` is the conversation whose lease this arrival's owner has now, named once in a batch.
CREATE FUNCTION parley_accept_v1(arrivals jsonb, locked uuid[])
RETURNS TABLE (n int, result jsonb, holds uuid, wakes boolean, stops boolean)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN QUERY
  WITH arrival AS (
    SELECT a.*, c.id AS line_id, c.next_seq, c.lease_owner, u.id AS writer_id,
           c.lease_owner IS NULL AND c.wake_at IS NULL AS idle, old.id AS old_id
      FROM jsonb_to_recordset(arrivals) AS a(
             n int, inbox_id uuid, tenant_id uuid, account_id uuid, channel text, chat text, thread text,
             dedupe_key text, kind text, owner text, lease_seconds float8, sender_id text, payload jsonb,
             sent_at timestamptz)
      JOIN users u ON u.account_id = a.account_id AND u.channel_type = a.channel AND u.channel_user_id = a.sender_id
      JOIN conversations c ON c.account_id = a.account_id AND c.chat = a.chat AND c.thread = a.thread AND c.is_active
                          AND c.id = ANY (locked)
      LEFT JOIN inbox old ON old.account_id = a.account_id AND old.dedupe_key = a.dedupe_key
  ), fresh AS (
    SELECT f.*, row_number() OVER (PARTITION BY f.line_id ORDER BY f.n) AS place
      FROM (SELECT DISTINCT ON (x.account_id, x.dedupe_key) x.* FROM arrival x
             WHERE x.old_id IS NULL ORDER BY x.account_id, x.dedupe_key, x.n) f
  ), born AS (
    INSERT INTO inbox (id, tenant_id, account_id, dedupe_key, conversation_id, user_id, seq, kind, payload,
                       sent_at, accepted_at)
    SELECT f.inbox_id, f.tenant_id, f.account_id, f.dedupe_key, f.line_id, f.writer_id, f.next_seq + f.place - 1,
           f.kind, f.payload, f.sent_at, clock_timestamp()
      FROM fresh f ORDER BY f.account_id, f.dedupe_key
    ON CONFLICT (account_id, dedupe_key) DO NOTHING
    RETURNING id
  ), touched AS (
    UPDATE conversations c
       SET next_seq = c.next_seq + g.many, last_activity = clock_timestamp(),
           wake_at = coalesce(c.wake_at, clock_timestamp()),
           lease_owner = CASE WHEN g.takes THEN g.owner ELSE c.lease_owner END,
           lease_token = CASE WHEN g.takes THEN c.lease_token + 1 ELSE c.lease_token END,
           lease_until = CASE WHEN g.takes THEN clock_timestamp() + make_interval(secs => g.lease_seconds)
                              ELSE c.lease_until END
      FROM (SELECT f.line_id, max(f.place) AS many, min(f.owner) AS owner, max(f.lease_seconds) AS lease_seconds,
                   bool_and(f.idle) AND min(f.owner) IS NOT NULL AS takes
              FROM fresh f JOIN born b ON b.id = f.inbox_id GROUP BY f.line_id) g
     WHERE c.id = g.line_id
    RETURNING c.id, c.lease_owner
  )
  SELECT r.n, jsonb_build_object('fresh', r.born OR r.again, 'inbox_id', r.inbox, 'conversation_id', r.line_id),
         CASE WHEN r.mine AND row_number() OVER (PARTITION BY r.line_id, r.mine ORDER BY r.n) = 1 THEN r.line_id END,
         r.born AND r.holder IS NULL, r.born AND r.kind = 'stop'
    FROM (SELECT a.n, a.kind, a.line_id, b.id IS NOT NULL AS born, a.old_id = a.inbox_id AS again,
                 coalesce(b.id, a.old_id) AS inbox, t.lease_owner AS holder,
                 CASE WHEN a.old_id = a.inbox_id THEN a.lease_owner = a.owner
                      WHEN a.idle THEN t.lease_owner = a.owner AND b.id IS NOT NULL END AS mine
            FROM arrival a
            LEFT JOIN born b ON b.id = a.inbox_id
            LEFT JOIN touched t ON t.id = a.line_id
           WHERE b.id IS NOT NULL OR a.old_id IS NOT NULL) r;
END $$;

CREATE FUNCTION parley_close_v1(closings jsonb) RETURNS TABLE (n int, result jsonb)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  UPDATE inbox i
     SET state = 'done', done_at = clock_timestamp(), turn_id = x.turn_id,
         outcome = CASE WHEN i.turn_id = x.turn_id THEN x."end" ELSE 'answered' END
    FROM jsonb_to_recordset(closings) AS x(conversation_id uuid, turn_id uuid, "end" text, covers_stops boolean)
   WHERE x."end" IS NOT NULL AND i.conversation_id = x.conversation_id AND i.state <> 'done'
     AND (i.turn_id = x.turn_id OR x.covers_stops AND i.kind = 'stop');

  UPDATE turns t SET state = 'closed', outcome = x."end", ended_at = clock_timestamp(), lease_token = x.token
    FROM jsonb_to_recordset(closings) AS x(turn_id uuid, token bigint, "end" text)
   WHERE t.id = x.turn_id AND x."end" IS NOT NULL AND t.state || '' <> 'closed';

  IF jsonb_path_exists(closings, '$[*].successor_id ? (@ != null)') THEN
    UPDATE conversations c SET is_active = false
      FROM jsonb_to_recordset(closings) AS x(conversation_id uuid, successor_id uuid)
     WHERE c.id = x.conversation_id AND x.successor_id IS NOT NULL;
    INSERT INTO conversations (id, tenant_id, account_id, user_id, channel_type, chat, thread, is_direct,
                               next_seq, wake_at)
    SELECT x.successor_id, c.tenant_id, c.account_id, c.user_id, c.channel_type, c.chat, c.thread, c.is_direct,
           c.next_seq, (SELECT min(i.accepted_at) FROM inbox i WHERE i.conversation_id = c.id AND i.state = 'waiting')
      FROM jsonb_to_recordset(closings) AS x(conversation_id uuid, successor_id uuid)
      JOIN conversations c ON c.id = x.conversation_id
     WHERE x.successor_id IS NOT NULL
     ORDER BY c.account_id, c.chat, c.thread
    ON CONFLICT DO NOTHING;
    UPDATE inbox i SET conversation_id = x.successor_id
      FROM jsonb_to_recordset(closings) AS x(conversation_id uuid, successor_id uuid)
     WHERE i.conversation_id = x.conversation_id AND x.successor_id IS NOT NULL AND i.state = 'waiting';
  END IF;

  RETURN QUERY
  WITH closing AS (
    SELECT x.*, EXISTS (SELECT 1 FROM inbox i WHERE i.conversation_id = x.conversation_id
                           AND i.state <> 'done') AS waits
      FROM jsonb_to_recordset(closings) AS x(n int, conversation_id uuid, keep boolean, wake_in float8)
  ), released AS (
    UPDATE conversations c
       SET lease_owner = NULL, lease_until = NULL, last_activity = clock_timestamp(),
           wake_at = CASE WHEN x.wake_in IS NOT NULL THEN clock_timestamp() + make_interval(secs => x.wake_in)
                          WHEN x.waits THEN clock_timestamp() END
      FROM closing x
     WHERE c.id = x.conversation_id AND NOT (x.keep AND x.waits)
    RETURNING c.id
  )
  SELECT x.n, CASE WHEN r.id IS NULL THEN parley_work_v1(x.conversation_id)
                   ELSE '{}'::jsonb END
    FROM closing x LEFT JOIN released r ON r.id = x.conversation_id;

  PERFORM pg_notify('parley_wake', '')
     FROM jsonb_to_recordset(closings) AS x(conversation_id uuid, successor_id uuid)
     JOIN conversations c ON c.id IN (x.conversation_id, x.successor_id)
    WHERE c.lease_owner IS NULL AND c.wake_at <= clock_timestamp() LIMIT 1;
END $$;

CREATE FUNCTION parley_commit_v1(batch jsonb) RETURNS TABLE (n int, result jsonb)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  locked uuid[];
  live int[];
  arrived record;
  wakes boolean := false;
BEGIN
  IF batch ? 'arrivals' THEN
    PERFORM parley_births_v1(batch->'arrivals');
  END IF;

  SELECT array_agg(held.id) INTO locked FROM (
   SELECT c.id
     FROM conversations c
     JOIN (SELECT l.conversation_id AS id
             FROM jsonb_to_recordset(batch->'leases') AS l(conversation_id uuid)
            UNION
           SELECT k.id
             FROM jsonb_to_recordset(batch->'arrivals') AS a(account_id uuid, chat text, thread text)
             JOIN conversations k ON k.account_id = a.account_id AND k.chat = a.chat AND k.thread = a.thread
                                 AND k.is_active) w ON w.id = c.id
    ORDER BY c.id FOR UPDATE OF c) held;

  SELECT coalesce(array_agg(l.n), '{}') INTO live
    FROM jsonb_to_recordset(batch->'leases') AS l(n int, conversation_id uuid, token bigint)
    JOIN conversations c ON c.id = l.conversation_id AND c.lease_token = l.token AND c.lease_owner IS NOT NULL;
  -- A closing whose turn was closed under the very same token is one that is repeated: it is done.
  RETURN QUERY
  SELECT l.n, CASE WHEN EXISTS (
           SELECT 1 FROM jsonb_to_recordset(batch->'closings') AS x(n int, turn_id uuid, token bigint)
             JOIN turns t ON t.id = x.turn_id AND t.lease_token = x.token AND t.state = 'closed'
            WHERE x.n = l.n) THEN '{}'::jsonb ELSE '{"lost": true}'::jsonb END
    FROM jsonb_to_recordset(batch->'leases') AS l(n int) WHERE l.n <> ALL (live);

  IF batch ? 'turns' THEN
    INSERT INTO turns AS t (id, tenant_id, conversation_id, kind, state, attempts, lease_token, config_version,
                            deadline_at, outcome, error)
    SELECT x.id, x.tenant_id, x.conversation_id, x.kind, x.state, x.attempts, x.token, x.config_version,
           x.deadline_at, x."end", x.error
      FROM jsonb_to_recordset(batch->'turns') AS x(
             n int, id uuid, tenant_id uuid, conversation_id uuid, kind text, state text, attempts int, token bigint,
             config_version bigint, deadline_at timestamptz, "end" text, error text)
     WHERE x.n = ANY (live)
    ON CONFLICT (id) DO UPDATE
       SET kind = excluded.kind, state = excluded.state, attempts = excluded.attempts, outcome = excluded.outcome,
           lease_token = excluded.lease_token, error = excluded.error
     WHERE t.state <> 'closed';

    UPDATE inbox i SET state = 'running', turn_id = x.turn_id
      FROM jsonb_to_recordset(batch->'takes') AS x(n int, inbox_id uuid, turn_id uuid)
     WHERE i.id = x.inbox_id AND i.state || '' = 'waiting' AND x.n = ANY (live);
  END IF;

  -- Only a call that is still reserved is settled, so a repeat adds nothing to the rollup.
  IF batch ? 'settlements' THEN
    WITH settled AS (
      UPDATE model_calls m
         SET state = x.state, model_served = x.model, prompt_tokens = x.prompt_tokens,
             cached_tokens = x.cached_tokens, completion_tokens = x.completion_tokens,
             reasoning_tokens = x.reasoning_tokens, cost_micro = x.cost_micro, price_source = x.price_source,
             estimated = x.estimated, first_token_ms = x.first_token_ms, duration_ms = x.duration_ms,
             finish_reason = x.finish_reason, error = x.error, request_id = x.request_id
        FROM jsonb_to_recordset(batch->'settlements') AS x(
               n int, call_id uuid, state text, model text, prompt_tokens int, cached_tokens int,
               completion_tokens int, reasoning_tokens int, cost_micro bigint, price_source text,
               estimated boolean, first_token_ms int, duration_ms int, finish_reason text, error text,
               request_id text)
       WHERE m.id = x.call_id AND m.state || '' = 'reserved' AND x.n = ANY (live)
      RETURNING m.*
    )
    INSERT INTO usage_hourly AS h (hour, tenant_id, account_id, channel, model, calls, failed_calls, estimated_calls,
                                   unpriced_calls, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens,
                                   cost_micro)
    SELECT date_trunc('hour', s.started_at, 'UTC') AS hour, s.tenant_id, s.account_id, s.channel, s.model,
           count(*), count(*) FILTER (WHERE s.state <> 'settled'), count(*) FILTER (WHERE s.estimated),
           count(*) FILTER (WHERE s.cost_micro IS NULL), sum(s.prompt_tokens), sum(s.cached_tokens),
           sum(s.completion_tokens), sum(s.reasoning_tokens), coalesce(sum(s.cost_micro), 0)
      FROM settled s GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (hour, tenant_id, account_id, channel, model) DO UPDATE
       SET calls = h.calls + excluded.calls, failed_calls = h.failed_calls + excluded.failed_calls,
           estimated_calls = h.estimated_calls + excluded.estimated_calls,
           unpriced_calls = h.unpriced_calls + excluded.unpriced_calls,
           prompt_tokens = h.prompt_tokens + excluded.prompt_tokens,
           cached_tokens = h.cached_tokens + excluded.cached_tokens,
           completion_tokens = h.completion_tokens + excluded.completion_tokens,
           reasoning_tokens = h.reasoning_tokens + excluded.reasoning_tokens,
           cost_micro = h.cost_micro + excluded.cost_micro;
  END IF;

  IF batch ? 'calls' THEN
    INSERT INTO model_calls (id, tenant_id, account_id, conversation_id, user_id, turn_id, channel, attempt, model,
                             state, reserved_prompt, reserved_completion, reserved_micro, started_at)
    SELECT x.id, x.tenant_id, x.account_id, x.conversation_id, x.user_id, x.turn_id, x.channel, x.attempt, x.model,
           'reserved', x.reserved_prompt, x.reserved_completion, x.reserved_micro, x.started_at
      FROM jsonb_to_recordset(batch->'calls') AS x(
             n int, id uuid, tenant_id uuid, account_id uuid, conversation_id uuid, user_id uuid, turn_id uuid,
             channel text, attempt int, model text, reserved_prompt int, reserved_completion int,
             reserved_micro bigint, started_at timestamptz)
     WHERE x.n = ANY (live)
    ON CONFLICT DO NOTHING;
  END IF;

  IF batch ? 'messages' THEN
    INSERT INTO messages (id, tenant_id, conversation_id, turn_id, user_id, role, content, model_used, "timestamp",
                          token_count, metadata)
    SELECT x.id, x.tenant_id, x.conversation_id, x.turn_id, x.user_id, x.role, x.content, x.model, x."timestamp",
           x.tokens, x.metadata
      FROM jsonb_to_recordset(batch->'messages') AS x(
             n int, id uuid, tenant_id uuid, conversation_id uuid, turn_id uuid, user_id uuid, role text,
             content text, model text, "timestamp" timestamptz, tokens int, metadata jsonb)
     WHERE x.n = ANY (live)
    ON CONFLICT DO NOTHING;
    UPDATE conversations c SET last_message_id = m.id
      FROM (SELECT DISTINCT ON (x.conversation_id) x.conversation_id, x.id
              FROM jsonb_to_recordset(batch->'messages') AS x(n int, id uuid, conversation_id uuid, "timestamp" timestamptz)
             WHERE x.n = ANY (live) ORDER BY x.conversation_id, x."timestamp" DESC, x.id DESC) m
     WHERE c.id = m.conversation_id;
  END IF;

  IF batch ? 'parts' THEN
    INSERT INTO outbox (id, tenant_id, turn_id, conversation_id, part, op, body, reply_to, state, receipt, attempts,
                        first_sent_at)
    SELECT x.id, x.tenant_id, x.turn_id, x.conversation_id, x.part, x.op, x.body, x.reply_to, x.state, x.receipt,
           CASE WHEN x.state = 'sending' THEN 1 ELSE 0 END,
           CASE WHEN x.state = 'sending' THEN clock_timestamp() END
      FROM jsonb_to_recordset(batch->'parts') AS x(
             n int, id uuid, tenant_id uuid, turn_id uuid, conversation_id uuid, part int, op text, body text,
             reply_to text, state text, receipt text)
     WHERE x.n = ANY (live)
    ON CONFLICT DO NOTHING;
  END IF;

  IF batch ? 'marks' THEN
    UPDATE outbox o
       SET state = x.state, receipt = coalesce(x.receipt, o.receipt), error = x.error, updated_at = clock_timestamp(),
           attempts = o.attempts + CASE WHEN x.state = 'sending' AND o.state <> 'sending' THEN 1 ELSE 0 END,
           first_sent_at = CASE WHEN x.state = 'sending' THEN coalesce(o.first_sent_at, clock_timestamp())
                                ELSE o.first_sent_at END
      FROM jsonb_to_recordset(batch->'marks') AS x(n int, part_id uuid, state text, receipt text, error text)
     WHERE o.id = x.part_id AND x.n = ANY (live);
  END IF;

  IF batch ? 'closings' THEN
    RETURN QUERY SELECT * FROM parley_close_v1(
      (SELECT coalesce(jsonb_agg(x), '[]'::jsonb) FROM jsonb_array_elements(batch->'closings') x
        WHERE (x->>'n')::int = ANY (live)));
  END IF;

  -- Last, so that a message which comes as its conversation is released takes the lease again.
  IF batch ? 'arrivals' THEN
    FOR arrived IN SELECT * FROM parley_accept_v1(batch->'arrivals', locked) LOOP
      n := arrived.n;
      result := arrived.result;
      IF arrived.holds IS NOT NULL THEN  -- a later statement than the one that took the lease: it sees it
        result := result || jsonb_build_object('work', parley_work_v1(arrived.holds));
      END IF;
      IF arrived.stops THEN
        PERFORM pg_notify('parley_stop', result->>'conversation_id');
      END IF;
      wakes := wakes OR arrived.wakes;
      RETURN NEXT;
    END LOOP;
    IF wakes THEN
      PERFORM pg_notify('parley_wake', '');
    END IF;
  END IF;
END $$;

-- Conversations that wait and that nobody holds, oldest first. A lease that ran out counts as an attempt
-- of what it held, so that a message which kills its worker is not tried for ever.
CREATE FUNCTION parley_claim_v1(instance text, mine uuid[], most int, lease_seconds float8)
RETURNS SETOF jsonb LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  moment timestamptz := clock_timestamp();
  claimed uuid[];
  orphaned uuid[];
BEGIN
  WITH free AS (
    SELECT c.id, c.lease_owner IS NOT NULL AS orphan FROM conversations c
     WHERE c.wake_at <= moment AND (c.lease_until IS NULL OR c.lease_until < moment)
       AND c.account_id = ANY (mine)
     ORDER BY c.wake_at LIMIT most FOR UPDATE SKIP LOCKED
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
             WHERE w.conversation_id = ANY (orphaned) AND w.state <> 'done' ORDER BY w.conversation_id, w.seq) w
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
                SELECT i.id AS inbox_id, i.seq, i.kind, i.user_id, i.payload, i.sent_at, i.accepted_at, i.attempts,
                       i.dedupe_key, u.preferred_model, u.is_blocked AS blocked
                  FROM inbox i JOIN users u ON u.id = i.user_id WHERE i.turn_id = t.id AND i.state <> 'done') w),
             'parts', (SELECT coalesce(jsonb_agg(to_jsonb(o) ORDER BY o.part, o.created_at), '[]'::jsonb)
                         FROM outbox o WHERE o.turn_id = t.id))
      FROM turns t WHERE t.conversation_id = c AND t.state <> 'closed' ORDER BY t.started_at LIMIT 1))
    FROM unnest(claimed) AS c;
END $$;

-- Prolongs what is still held, and gives the conversations that somebody has taken since. One that was let
-- go meanwhile is neither.
CREATE FUNCTION parley_renew_v1(instance text, held jsonb, lease_seconds float8)
RETURNS SETOF uuid LANGUAGE sql VOLATILE AS $$
  UPDATE conversations c SET lease_until = clock_timestamp() + make_interval(secs => lease_seconds)
   WHERE c.id IN (SELECT k.id FROM conversations k
                    JOIN jsonb_to_recordset(held) AS h(conversation_id uuid, token bigint)
                      ON h.conversation_id = k.id AND h.token = k.lease_token
                   WHERE k.lease_owner = instance ORDER BY k.id FOR UPDATE OF k);
  SELECT h.conversation_id FROM jsonb_to_recordset(held) AS h(conversation_id uuid, token bigint)
    JOIN conversations c ON c.id = h.conversation_id
   WHERE c.lease_token <> h.token OR c.lease_owner <> instance
$$;
