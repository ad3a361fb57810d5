-- What a holder needs to know of a conversation, with the messages that wait (a /stop first). What was asked
-- before the newest fence that was lifted as uncertain may have been answered already.
CREATE OR REPLACE FUNCTION parley_work_v1(conversation uuid) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT jsonb_build_object(
    'line', jsonb_build_object(
      'conversation_id', c.id, 'tenant_id', c.tenant_id, 'account_id', c.account_id, 'channel', c.channel_type,
      'chat', c.chat, 'thread', c.thread, 'direct', c.is_direct, 'model_override', c.model_override,
      'last_message_id', c.last_message_id, 'token', c.lease_token,
      'doubt_before', (SELECT f.raised_at FROM fences f WHERE f.lifted_as = 'uncertain'
                        ORDER BY f.raised_at DESC LIMIT 1)),
    'waiting', coalesce((
      SELECT jsonb_agg(to_jsonb(w) - 'first' ORDER BY w.first DESC, w.seq) FROM (
        SELECT i.id AS inbox_id, i.seq, i.kind, i.kind = 'stop' AS first, i.user_id, i.payload, i.sent_at,
               i.accepted_at, parley_asked_at_v1(i.sent_at, i.accepted_at) AS asked_at, i.attempts, i.revision,
               i.dedupe_key, u.preferred_model, u.is_blocked AS blocked
          FROM inbox i JOIN users u ON u.id = i.user_id
         WHERE i.conversation_id = c.id AND i.state = 'waiting'
         ORDER BY first DESC, i.seq LIMIT 50) w), '[]'::jsonb))
    FROM conversations c WHERE c.id = conversation);
END $$;
