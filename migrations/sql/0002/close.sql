-- The end of turns, or of leases alone. `covers_before` gives what still waits and was asked before that time
-- the same end. While a fence stands, a closing that asks for more work gives its lease back instead.
CREATE OR REPLACE FUNCTION parley_close_v1(closings jsonb) RETURNS TABLE (n int, result jsonb)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  fenced boolean := EXISTS (SELECT 1 FROM fences f WHERE f.lifted_at IS NULL);
BEGIN
  IF fenced THEN  -- said once, here, and not by a condition in each statement
    closings := (SELECT jsonb_agg(x || '{"keep": false}') FROM jsonb_array_elements(closings) AS x);
  END IF;

  UPDATE inbox i
     SET state = 'done', done_at = clock_timestamp(), turn_id = x.turn_id,
         outcome = CASE WHEN i.turn_id = x.turn_id OR parley_asked_at_v1(i.sent_at, i.accepted_at) < x.covers_before
                        THEN x."end" ELSE 'answered' END
    FROM jsonb_to_recordset(closings) AS x(conversation_id uuid, turn_id uuid, "end" text, covers_stops boolean,
                                           covers_before timestamptz)
   WHERE x."end" IS NOT NULL AND i.conversation_id = x.conversation_id AND i.state <> 'done'
     AND (i.turn_id = x.turn_id OR x.covers_stops AND i.kind = 'stop'
          OR i.state = 'waiting' AND parley_asked_at_v1(i.sent_at, i.accepted_at) < x.covers_before);

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

  IF NOT fenced THEN
    PERFORM pg_notify('parley_wake', '')
       FROM jsonb_to_recordset(closings) AS x(conversation_id uuid, successor_id uuid)
       JOIN conversations c ON c.id IN (x.conversation_id, x.successor_id)
      WHERE c.lease_owner IS NULL AND c.wake_at <= clock_timestamp() LIMIT 1;
  END IF;
END $$;
