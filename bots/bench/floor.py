"""E, the raw floor: the same four commits and the same Redis traffic, and nothing else.

The rows are those that our own commits write, into the same tables; one hand-written statement over
arrays for each commit, straight on the driver, with a micro-batcher for each. No model, no channel, no
validation, no retries, no metrics, no log. It is a measure, not a design to ship.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

import asyncpg
import orjson
from uuid_utils.compat import uuid7

from bots.bench.talk import ANSWER, CONTEXT, MODEL, QUESTION, Turn
from bots.bench.wire import MicroBatch, PipelinedRedis
from core.store.tables import DEFAULT_TENANT

ACCEPT = """
WITH asked AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[])
             AS x(id, dedupe_key, conversation_id, user_id, payload)
), touched AS (
  UPDATE conversations c
     SET next_seq = c.next_seq + 1, last_activity = clock_timestamp(), wake_at = clock_timestamp(),
         lease_owner = 'floor', lease_token = c.lease_token + 1,
         lease_until = clock_timestamp() + interval '30 seconds'
    FROM asked x WHERE c.id = x.conversation_id
  RETURNING c.id, c.tenant_id, c.account_id, c.next_seq - 1 AS seq
)
INSERT INTO inbox (id, tenant_id, account_id, dedupe_key, conversation_id, user_id, seq, kind, payload)
SELECT x.id, t.tenant_id, t.account_id, x.dedupe_key, x.conversation_id, x.user_id, t.seq, 'message',
       x.payload::jsonb
  FROM asked x JOIN touched t ON t.id = x.conversation_id
"""
BEGIN = """
WITH begun AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[])
             AS x(turn_id, inbox_id, call_id, conversation_id, user_id)
), turn AS (
  INSERT INTO turns (id, tenant_id, conversation_id, kind, state, attempts, deadline_at)
  SELECT x.turn_id, '{tenant}', x.conversation_id, 'answer', 'open', 1,
         clock_timestamp() + interval '2 minutes'
    FROM begun x
), taken AS (
  UPDATE inbox i SET state = 'running', turn_id = x.turn_id FROM begun x WHERE i.id = x.inbox_id
)
INSERT INTO model_calls (id, tenant_id, account_id, conversation_id, user_id, turn_id, channel, attempt,
                         model, state, reserved_prompt, reserved_completion, reserved_micro)
SELECT x.call_id, '{tenant}', '{account}', x.conversation_id, x.user_id, x.turn_id, 'bench', 1, '{model}',
       'reserved', 600, 2000, 1290
  FROM begun x
"""
COMPOSE = """
WITH composed AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[],
                       $8::text[], $9::text[])
             AS x(turn_id, call_id, conversation_id, user_id, question_id, answer_id, part_id, question,
                  answer)
), turn AS (
  UPDATE turns t SET state = 'composed', outcome = 'answered' FROM composed x WHERE t.id = x.turn_id
), settled AS (
  UPDATE model_calls m
     SET state = 'settled', model_served = '{model}', prompt_tokens = 600, completion_tokens = 40,
         cost_micro = 114, price_source = 'floor', duration_ms = 1, first_token_ms = 1, finish_reason = 'stop'
    FROM composed x WHERE m.id = x.call_id
), rolled AS (
  INSERT INTO usage_hourly AS h (hour, tenant_id, account_id, channel, model, calls, prompt_tokens,
                                 completion_tokens, cost_micro)
  SELECT date_trunc('hour', now(), 'UTC'), '{tenant}', '{account}', 'bench', '{model}', count(*),
         600 * count(*), 40 * count(*), 114 * count(*) FROM composed
  ON CONFLICT (hour, tenant_id, account_id, channel, model) DO UPDATE
     SET calls = h.calls + excluded.calls, prompt_tokens = h.prompt_tokens + excluded.prompt_tokens,
         completion_tokens = h.completion_tokens + excluded.completion_tokens,
         cost_micro = h.cost_micro + excluded.cost_micro
), said AS (
  INSERT INTO messages (id, tenant_id, conversation_id, turn_id, user_id, role, content, model_used,
                        token_count, "timestamp")
  SELECT x.question_id, '{tenant}'::uuid, x.conversation_id, x.turn_id, x.user_id, 'user', x.question, NULL,
         NULL, clock_timestamp() FROM composed x
  UNION ALL
  SELECT x.answer_id, '{tenant}'::uuid, x.conversation_id, x.turn_id, NULL, 'assistant', x.answer, '{model}',
         40, clock_timestamp() FROM composed x
), line AS (
  UPDATE conversations c SET last_message_id = x.answer_id FROM composed x WHERE c.id = x.conversation_id
)
INSERT INTO outbox (id, tenant_id, turn_id, conversation_id, part, op, body, state, attempts, first_sent_at)
SELECT x.part_id, '{tenant}', x.turn_id, x.conversation_id, 1, 'send', x.answer, 'sending', 1,
       clock_timestamp()
  FROM composed x
"""
CLOSE = """
WITH closed AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[])
             AS x(turn_id, inbox_id, part_id, conversation_id, receipt)
), done AS (
  UPDATE inbox i SET state = 'done', done_at = clock_timestamp(), outcome = 'answered'
    FROM closed x WHERE i.id = x.inbox_id
), turn AS (
  UPDATE turns t SET state = 'closed', ended_at = clock_timestamp() FROM closed x WHERE t.id = x.turn_id
), sent AS (
  UPDATE outbox o SET state = 'sent', receipt = x.receipt, updated_at = clock_timestamp()
    FROM closed x WHERE o.id = x.part_id
)
UPDATE conversations c
   SET lease_owner = NULL, lease_until = NULL, wake_at = NULL, last_activity = clock_timestamp()
  FROM closed x WHERE c.id = x.conversation_id
"""
BIRTH = """
WITH account AS (
  INSERT INTO accounts (id, tenant_id, channel, name) VALUES ($1::uuid, $2::uuid, 'bench', $1::uuid::text)
), born AS (
  INSERT INTO users (id, tenant_id, account_id, channel_type, channel_user_id)
  SELECT x.id, $2, $1, 'bench', x.id::text FROM unnest($3::uuid[]) AS x(id)
)
INSERT INTO conversations (id, tenant_id, account_id, user_id, channel_type, chat)
SELECT x.id, $2, $1, x.id, 'bench', x.id::text FROM unnest($3::uuid[]) AS x(id)
"""


class Floor:
    """Four commits and two looks at Redis. A lane's person and conversation have one id."""

    def __init__(self, lines: list[UUID], batches: list[MicroBatch], redis: PipelinedRedis) -> None:
        self._lines = lines
        self._accept, self._begin, self._compose, self._close = (batch.write for batch in batches)
        self._redis = redis

    async def turn(self, lane: int) -> None:
        line = self._lines[lane]
        inbox, turn, call, answer, part = (uuid7() for _ in range(5))
        payload = orjson.dumps({"text": QUESTION, "message_id": inbox, "sender": {"id": line}}).decode()
        await self._accept(inbox, inbox.hex, line, line, payload)
        await self._look(line)
        await self._begin(turn, inbox, call, line, line)
        await self._compose(turn, call, line, line, inbox, answer, part, QUESTION, ANSWER)
        closed = self._close(turn, inbox, part, line, "1")
        await self._remember(line, inbox, answer)
        await closed

    async def _look(self, line: UUID) -> None:
        rate, session = f"rate:{line}", f"session:{line}"
        await self._redis.ask(
            ("INCR", rate),
            ("EXPIRE", rate, 60),
            ("HGETALL", session),
            ("EXPIRE", session, 3600),
            ("LRANGE", f"context:{line}", 0, CONTEXT - 1),
        )

    async def _remember(self, line: UUID, question: UUID, answer: UUID) -> None:
        context, session = f"context:{line}", f"session:{line}"
        said = (("user", QUESTION, question), ("assistant", ANSWER, answer))
        entries = [orjson.dumps({"id": id, "role": role, "content": content}) for role, content, id in said]
        fields = ("user_id", str(line), "conversation_id", str(line), "model", MODEL)
        await self._redis.ask(
            ("LPUSH", context, *entries),
            ("LTRIM", context, 0, CONTEXT - 1),
            ("EXPIRE", context, 7200),
            ("HSET", session, *fields, "last_activity", datetime.now(UTC).isoformat(), "version", "1"),
            ("EXPIRE", session, 3600),
            ("SADD", "active:floor", str(line)),
            ("EXPIRE", "active:floor", 300),
        )


@asynccontextmanager
async def open_floor(database_url: str, redis_url: str, *, concurrency: int) -> AsyncIterator[Turn]:
    """The floor over a migrated database; `redis_url` is a unix socket's."""
    dsn = database_url.replace("postgresql+asyncpg", "postgresql")
    account, lines = uuid7(), [uuid7() for _ in range(concurrency)]
    names = {"tenant": DEFAULT_TENANT, "account": account, "model": MODEL}
    async with AsyncExitStack() as stack:
        batches = []
        for statement in (ACCEPT, BEGIN, COMPOSE, CLOSE):
            connection = await asyncpg.connect(dsn)
            stack.push_async_callback(connection.close)
            batches.append(MicroBatch(connection, statement.format(**names)))
        await connection.execute(BIRTH, account, UUID(DEFAULT_TENANT), lines)
        redis = await _connect(redis_url)
        stack.callback(redis.close)
        yield Floor(lines, batches, redis).turn


async def _connect(url: str) -> PipelinedRedis:
    parts = urlsplit(url)
    _, redis = await asyncio.get_running_loop().create_unix_connection(PipelinedRedis, unquote(parts.path))
    await redis.ask(("SELECT", parse_qs(parts.query).get("db", ["0"])[0]))
    return redis
