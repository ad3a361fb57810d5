"""The transcript, the ledger's sums and what people and admins have set: implements `Records`.

Cold queries only, over the shared pool, in SQLAlchemy's own words.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from core.errors import LeaseLost
from core.messages import Spoken
from core.rows import CallUsage, ChannelConfig, LastAnswer, Lease
from core.store.database import Transaction, own, transaction
from core.store.tables import (
    channel_configs,
    conversations,
    inbox,
    messages,
    model_calls,
    outbox,
    turns,
    users,
)

RECENT = timedelta(days=60)


class PostgresRecords:
    """Reads and rare writes that no turn waits for on its normal way."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def context(self, conversation_id: UUID, most: int) -> list[Spoken]:
        return [spoken for _, spoken in await self.history(conversation_id, most)]

    async def history(self, conversation_id: UUID, most: int) -> list[tuple[datetime, Spoken]]:
        """Bounded in time first, so that only a few partitions are probed; then without a bound."""
        async with transaction(self._engine) as connection:
            query = _newest(conversation_id, most)
            since = datetime.now(UTC) - RECENT
            rows = (await connection.execute(query.where(messages.c.timestamp > since))).all()
            if len(rows) < most:
                rows = (await connection.execute(query)).all()
        return [(row.timestamp, _spoken(row)) for row in reversed(rows)]

    async def last_answer(self, conversation_id: UUID) -> LastAnswer | None:
        """The question is the last one, also where only an apology came of it; the answer is the last one
        there is. After an uncertain end it is what was to be said there, a command's reply too, and empty
        where nothing is stored of it."""
        said = messages.c
        here = said.conversation_id == conversation_id
        newest = said.timestamp.desc(), said.id.desc()
        asked = (
            select(turns.c.id, turns.c.outcome)
            .join(messages, said.turn_id == turns.c.id)
            .where(here, said.role == "user")
            .order_by(*newest)
            .limit(1)
        )
        answered = select(said.content).where(here, said.role == "assistant").order_by(*newest).limit(1)
        async with transaction(self._engine) as connection:
            turn = (await connection.execute(asked)).one_or_none()
            in_doubt = await _in_doubt(connection, conversation_id)
            turn_id = in_doubt or (turn.id if turn else None)
            if turn_id is None:
                return None
            if in_doubt is not None:
                answer = await _stored(connection, conversation_id, in_doubt)
            else:
                answer = await connection.scalar(answered)
            question = await _asked(connection, conversation_id, turn.id) if turn else ""
        end = "uncertain" if in_doubt else turn.outcome if turn else None
        return LastAnswer(turn_id=own(turn_id), question=question, answer=answer or "", end=end or "")

    async def usage(self, user_id: UUID, since: datetime) -> CallUsage:
        calls = model_calls.c
        query = select(
            func.count(),
            func.coalesce(func.sum(calls.prompt_tokens), 0),
            func.coalesce(func.sum(calls.completion_tokens), 0),
            func.coalesce(func.sum(calls.cost_micro), 0),
            func.coalesce(func.sum(case((calls.cost_micro.is_(None), 1), else_=0)), 0),
        ).where(calls.user_id == user_id, calls.started_at >= since, calls.state != "reserved")
        async with transaction(self._engine) as connection:
            count, prompt, completion, cost, unpriced = (await connection.execute(query)).one()
        return CallUsage(
            calls=count,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_micro=int(cost),
            unpriced_calls=unpriced,
        )

    async def configs(self) -> list[ChannelConfig]:
        async with transaction(self._engine) as connection:
            rows = (await connection.execute(select(channel_configs))).all()
        return [
            ChannelConfig(
                channel=row.channel_type,
                scope=row.scope,
                account_id=own(row.account_id) if row.account_id else None,
                chat=row.chat,
                default_model=row.default_model,
                settings=row.settings,
                version=row.version,
            )
            for row in rows
        ]

    async def stoppers(self, conversation_id: UUID) -> list[tuple[str, str]]:
        waiting = (inbox.c.kind == "stop", inbox.c.state == "waiting", users.c.is_blocked.is_(False))
        query = (
            select(users.c.channel_type, users.c.channel_user_id)
            .join_from(inbox, users, users.c.id == inbox.c.user_id)
            .where(inbox.c.conversation_id == conversation_id, *waiting)
        )
        async with transaction(self._engine) as connection:
            return [(channel, user) for channel, user in await connection.execute(query)]

    async def set_model(self, lease: Lease, model: str | None) -> None:
        """Under the token, as every write of a turn: who wakes up late must not undo a newer choice."""
        line = conversations.c
        held = (
            line.id == lease.conversation_id,
            line.lease_token == lease.token,
            line.lease_owner.is_not(None),
        )
        async with transaction(self._engine) as connection:
            chosen = update(conversations).where(*held).values(model_override=model)
            if not (await connection.execute(chosen)).rowcount:
                raise LeaseLost(f"conversation {lease.conversation_id} has another holder")

    async def unanswered(self, account_id: UUID) -> int:
        """How many accepted messages of an account are not done yet."""
        query = select(func.count()).where(inbox.c.account_id == account_id, inbox.c.state != "done")
        async with transaction(self._engine) as connection:
            return (await connection.execute(query)).scalar_one()

    async def ensure_months(self, ahead: int = 2) -> None:
        """Make the partitions of this month and the next ones, where they are missing."""
        async with transaction(self._engine) as connection:
            month = datetime.now(UTC).date().replace(day=1)
            for _ in range(ahead + 1):
                await connection.execute(select(func.parley_ensure_month_v1(month)))
                month = (month + timedelta(days=32)).replace(day=1)


async def _in_doubt(connection: Transaction, conversation_id: UUID) -> UUID | None:
    """The newest turn that has ended, where that end is uncertain."""
    query = (
        select(turns.c.id, turns.c.outcome)
        .where(turns.c.conversation_id == conversation_id, turns.c.state == "closed")
        .order_by(turns.c.started_at.desc())
        .limit(1)
    )
    turn = (await connection.execute(query)).one_or_none()
    return turn.id if turn is not None and turn.outcome == "uncertain" else None


async def _asked(connection: Transaction, conversation_id: UUID, turn_id: UUID) -> str:
    said = messages.c
    texts = await connection.scalars(
        select(said.content)
        .where(said.conversation_id == conversation_id, said.turn_id == turn_id, said.role == "user")
        .order_by(said.timestamp, said.id)
    )
    return "\n".join(texts)


async def _stored(connection: Transaction, conversation_id: UUID, turn_id: UUID) -> str:
    """What a turn was to say: the whole text of an answer, of all else the parts it was cut into."""
    said, sent = messages.c, outbox.c
    whole = select(said.content).where(
        said.conversation_id == conversation_id, said.turn_id == turn_id, said.role == "assistant"
    )
    parts = (
        select(sent.part, sent.body)
        .where(sent.turn_id == turn_id, sent.op.in_(("send", "edit")))
        .order_by(sent.part, sent.created_at)
    )
    if answer := await connection.scalar(whole):
        return str(answer)
    bodies = {row.part: row.body for row in await connection.execute(parts)}  # a part may have had two forms
    return "\n\n".join(bodies.values())


def _newest(conversation_id: UUID, most: int) -> Select[tuple[UUID, str, str, dict[str, str], datetime]]:
    return (
        select(messages.c.id, messages.c.role, messages.c.content, messages.c.metadata, messages.c.timestamp)
        .where(messages.c.conversation_id == conversation_id)
        .order_by(messages.c.timestamp.desc(), messages.c.id.desc())
        .limit(most)
    )


def _spoken(row: Row[Any]) -> Spoken:
    return Spoken(id=own(row.id), role=row.role, content=row.content, author=row.metadata.get("author", ""))
