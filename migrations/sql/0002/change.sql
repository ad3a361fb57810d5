-- What authors did to messages that they had sent: an edit puts the new text in its place, a deletion withdraws
-- it, as long as nobody has begun to answer. Only in conversations that this transaction has locked: a message
-- that went to a successor since then gives no row and is to be tried again. A key that nobody knows changes
-- nothing. `revision` counts edits that changed something; platforms tell of others too, and of all repeatedly.
CREATE FUNCTION parley_change_v1(changes jsonb, locked uuid[]) RETURNS TABLE (n int, result jsonb)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN QUERY
  WITH change AS (
    SELECT x.n, x.change, x.kind, x.text, coalesce(i.id, x.inbox_id) AS inbox_id,
           coalesce(i.conversation_id, x.conversation_id) AS conversation_id, i.conversation_id AS line_id,
           i.state = 'waiting' AND i.conversation_id = ANY (locked) AS waits,
           i.outcome = 'withdrawn' AND i.turn_id IS NULL AS withdrawn
      FROM jsonb_to_recordset(changes) AS x(n int, inbox_id uuid, conversation_id uuid, account_id uuid,
                                            dedupe_key text, change text, kind text, text text)
      LEFT JOIN inbox i ON i.account_id = x.account_id AND i.dedupe_key = x.dedupe_key
  ), newest AS (  -- several changes of one message in a batch: a deletion counts, else the last edit
    SELECT DISTINCT ON (c.inbox_id) c.* FROM change c WHERE c.waits
     ORDER BY c.inbox_id, c.change = 'deleted' DESC, c.n DESC
  ), edited AS (
    UPDATE inbox i
       SET payload = jsonb_set(i.payload, '{text}', to_jsonb(w.text)), kind = w.kind, revision = i.revision + 1
      FROM newest w
     WHERE i.id = w.inbox_id AND w.change = 'edited' AND i.payload->>'text' IS DISTINCT FROM w.text
  ), deleted AS (
    UPDATE inbox i SET state = 'done', outcome = 'withdrawn', done_at = clock_timestamp()
      FROM newest w WHERE i.id = w.inbox_id AND w.change = 'deleted'
  )
  SELECT c.n, jsonb_build_object('fresh', false, 'inbox_id', c.inbox_id, 'conversation_id', c.conversation_id,
                                 'changed', coalesce(c.waits OR c.withdrawn AND c.change = 'deleted', false))
    FROM change c WHERE c.line_id IS NULL OR c.line_id = ANY (locked);
END $$;
