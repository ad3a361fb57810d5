-- The commits of many turns in one round trip, as the head of `commit_v1.sql` says. Beside what it took before:
-- `changes` of messages by their authors, and `takes` that tell the revision they were handed out with. A write
-- that was overtaken by a change gives {"overtaken": true} and is not made at all. Each statement is planned
-- once: left to itself Postgres plans some anew at each call, which made a small batch dearer by a fifth.
CREATE OR REPLACE FUNCTION parley_commit_v1(batch jsonb) RETURNS TABLE (n int, result jsonb)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  locked uuid[];
  live int[];
  overtaken int[];
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
                                 AND k.is_active
            UNION
           SELECT i.conversation_id
             FROM jsonb_to_recordset(batch->'changes') AS x(account_id uuid, dedupe_key text)
             JOIN inbox i ON i.account_id = x.account_id AND i.dedupe_key = x.dedupe_key) w ON w.id = c.id
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

  -- What is taken must be what was handed out: an edit or a deletion since then unmakes the whole write. Taken
  -- by this very turn already, it is a write that is repeated. A gateway of 0001 tells no revision.
  IF batch ? 'takes' THEN
    SELECT array_agg(DISTINCT x.n) INTO overtaken
      FROM jsonb_to_recordset(batch->'takes') AS x(n int, inbox_id uuid, turn_id uuid, revision int)
      LEFT JOIN inbox i ON i.id = x.inbox_id
     WHERE x.n = ANY (live) AND x.revision IS NOT NULL
       AND coalesce(i.turn_id = x.turn_id OR i.state || '' = 'waiting' AND i.revision = x.revision, false) IS FALSE;
    IF overtaken IS NOT NULL THEN
      RETURN QUERY SELECT o.n, '{"overtaken": true}'::jsonb FROM unnest(overtaken) AS o(n);
      live := ARRAY (SELECT l.n FROM unnest(live) AS l(n) WHERE l.n <> ALL (overtaken));
    END IF;
  END IF;

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
      PERFORM pg_notify('parley_wake', '') WHERE NOT EXISTS (SELECT 1 FROM fences f WHERE f.lifted_at IS NULL);
    END IF;
  END IF;

  IF batch ? 'changes' THEN
    RETURN QUERY SELECT * FROM parley_change_v1(batch->'changes', locked);
  END IF;
END $$;
