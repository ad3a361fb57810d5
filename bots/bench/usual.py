"""A, the usual way: what a careful developer writes first with the same libraries.

redis-py command by command, the ORM with a commit for the question, the answer and the conversation,
the SDK's typed `create`. It keeps less than a turn of ours does: no inbox, no lease, no ledger, no
outbox; nothing is logged or counted.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

from openai import AsyncOpenAI
from redis.asyncio import Redis
from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime

from bots.bench.talk import CONTEXT, MODEL, QUESTION, SYSTEM, Turn, check

Chat = list[dict[str, str]]


class Row(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB}


class Conversation(Row):
    __tablename__ = "conversations"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[UUID]
    channel_type: Mapped[str]
    started_at: Mapped[datetime]
    last_activity: Mapped[datetime] = mapped_column(index=True)
    is_active: Mapped[bool] = mapped_column(default=True)


class Message(Row):
    __tablename__ = "messages"
    __table_args__ = (Index("ix_messages_conversation", "conversation_id", "timestamp"),)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("conversations.id"))
    role: Mapped[str]
    content: Mapped[str]
    model_used: Mapped[str | None]
    timestamp: Mapped[datetime] = mapped_column(index=True)
    token_count: Mapped[int | None]
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Bot:
    """A chat bot, as it is often written."""

    def __init__(
        self, redis: Redis, sessions: async_sessionmaker[AsyncSession], models: AsyncOpenAI, *, streams: bool
    ) -> None:
        self._redis = redis
        self._sessions = sessions
        self._models = models
        self._streams = streams
        self._conversations: dict[int, UUID] = {}

    async def turn(self, lane: int) -> None:
        user = f"usual-{self._streams}-{lane}"
        if lane not in self._conversations:
            self._conversations[lane] = await self._begin()
        line = self._conversations[lane]
        context = await self._read(user, line)
        async with self._sessions() as session:
            await self._add(session, line, "user", QUESTION, None)
            answer, tokens = await self._ask(context)
            await self._add(session, line, "assistant", answer, tokens)
            conversation = await session.get_one(Conversation, line)
            conversation.last_activity = datetime.now(UTC)
            await session.commit()
        await self._write(user, line, answer)
        check(answer)

    async def _begin(self) -> UUID:
        now = datetime.now(UTC)
        row = Conversation(user_id=uuid4(), channel_type="bench", started_at=now, last_activity=now)
        async with self._sessions() as session:
            session.add(row)
            await session.commit()
            return row.id

    async def _read(self, user: str, line: UUID) -> Chat:
        """Limit, session and context."""
        redis = self._redis
        if await redis.incr(f"rate:user:{user}:minute") == 1:
            await redis.expire(f"rate:user:{user}:minute", 60)
        await redis.hgetall(f"session:bench:{user}")
        await redis.expire(f"session:bench:{user}", 3600)
        entries = await redis.lrange(f"context:conv:{line}", 0, CONTEXT - 1)
        return [json.loads(entry) for entry in reversed(entries)]

    async def _add(
        self, session: AsyncSession, line: UUID, role: str, content: str, tokens: int | None
    ) -> None:
        model = MODEL if role == "assistant" else None
        session.add(
            Message(
                conversation_id=line,
                role=role,
                content=content,
                model_used=model,
                timestamp=datetime.now(UTC),
                token_count=tokens,
            )
        )
        await session.commit()

    async def _ask(self, context: Chat) -> tuple[str, int | None]:
        messages: Any = [
            {"role": "system", "content": SYSTEM},
            *context,
            {"role": "user", "content": QUESTION},
        ]
        return await ask(self._models, messages, streams=self._streams)

    async def _write(self, user: str, line: UUID, answer: str) -> None:
        """Context, session and presence."""
        redis, key = self._redis, f"context:conv:{line}"
        for role, content in (("user", QUESTION), ("assistant", answer)):
            await redis.lpush(key, json.dumps({"role": role, "content": content}))
        await redis.ltrim(key, 0, CONTEXT - 1)
        await redis.expire(key, 7200)
        fields: Any = {"user_id": user, "conversation_id": str(line), "model": MODEL}
        fields["last_activity"] = datetime.now(UTC).isoformat()
        await redis.hset(f"session:bench:{user}", mapping=fields)
        await redis.expire(f"session:bench:{user}", 3600)
        await redis.sadd("active:bench", user)
        await redis.expire("active:bench", 300)


async def ask(models: AsyncOpenAI, messages: Any, *, streams: bool) -> tuple[str, int | None]:
    """The answer and its tokens, by the SDK's typed call."""
    if not streams:
        whole = await models.chat.completions.create(model=MODEL, messages=messages, max_tokens=2000)
        return whole.choices[0].message.content or "", whole.usage.completion_tokens if whole.usage else None
    text, tokens = "", None
    async for chunk in await models.chat.completions.create(
        model=MODEL, messages=messages, max_tokens=2000, stream=True, stream_options={"include_usage": True}
    ):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return text, tokens


@asynccontextmanager
async def open_usual(
    database_url: str, redis_url: str, base_url: str, *, concurrency: int, streams: bool = False
) -> AsyncIterator[Turn]:
    """The usual bot over an empty database; nobody waits for a connection."""
    engine = create_async_engine(database_url, pool_size=concurrency)
    async with (
        Redis.from_url(redis_url, decode_responses=True) as redis,
        AsyncOpenAI(api_key="bench", base_url=base_url) as models,
    ):
        async with engine.begin() as connection:
            await connection.run_sync(Row.metadata.create_all)
        yield Bot(redis, async_sessionmaker(engine, expire_on_commit=False), models, streams=streams).turn
    await engine.dispose()
