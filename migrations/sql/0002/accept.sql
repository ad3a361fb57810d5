-- Only into conversations that this transaction has locked. An arrival gets no row, and is to be tried
-- again, when its conversation ended or was born since the locks were taken, and when the same message
-- is being accepted beside it: then the next try finds what became of it.
-- `holds` is the conversation whose lease this arrival's owner has now, named once in a batch. While a fence
-- stands, messages are stored and that is all.
CREATE OR REPLACE FUNCTION parley_accept_v1(arrivals jsonb, locked uuid[])
RETURNS TABLE (n int, result jsonb, holds uuid, wakes boolean, stops boolean)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fences f WHERE f.lifted_at IS NULL) THEN
    arrivals := (SELECT jsonb_agg(a || '{"owner": null}') FROM jsonb_array_elements(arrivals) AS a);
  END IF;

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
