"""What the tests of the store stand on: an account, messages to it, the writes of a turn, and looks at rows.

Every instance is a journal and leases of its own over an engine of its own, as two gateways would be.
"""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from core.messages import Account, Change, Identity, InboundMessage, Place, Sender, Usage
from core.observe import Metrics
from core.rows import (
    Accepted,
    Arrival,
    CallRow,
    Closing,
    End,
    Kind,
    Lease,
    Mark,
    MessageRow,
    Part,
    Settlement,
    TurnRow,
    Work,
    Writing,
)
from core.store.accounts import PostgresAccounts
from core.store.database import PoolSize, open_engine
from core.store.journal import PostgresJournal, open_journal
from core.store.leases import PostgresLeases, open_leases

SMALL = PoolSize(size=3, overflow=2, wait=5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One gateway's side of the store."""

    name: str
    engine: AsyncEngine
    account: Account
    journal: PostgresJournal
    leases: PostgresLeases
    metrics: Metrics
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def arrival(
        self,
        chat: str = "chat",
        said: str = "hello",
        *,
        key: str | None = None,
        sender: str = "ann",
        kind: Kind = "message",
        owns: bool = True,
        lease_seconds: float = 30.0,
        inbox_id: UUID | None = None,
        sent_at: datetime | None = None,
        change: Change | None = None,
    ) -> Arrival:
        place = Place(account_id=self.account.id, channel="console", chat=chat)
        return Arrival(
            inbox_id=inbox_id or uuid7(),
            user_id=uuid7(),
            conversation_id=uuid7(),
            tenant_id=self.account.tenant_id,
            kind=kind,
            message=InboundMessage(
                place=place,
                sender=Sender(id=sender, name=sender.title()),
                text=said,
                dedupe_key=key or f"{self.name}-{next(self.numbers)}",
                message_id="1",
                sent_at=sent_at or datetime.now(UTC),
                change=change,
            ),
            owner=self.name if owns else None,
            lease_seconds=lease_seconds,
        )

    async def accept(self, chat: str = "chat", said: str = "hello", **more: Any) -> Accepted:
        return await self.journal.accept(self.arrival(chat, said, **more))

    async def work(self, chat: str = "chat", said: str = "hello", **more: Any) -> Work:
        """Accept a message into an idle conversation, so that this instance holds it."""
        accepted = await self.accept(chat, said, **more)
        assert accepted.work is not None
        return accepted.work

    async def edit(self, key: str, said: str, **more: Any) -> Accepted:
        """The author of the message with this key gives it another text."""
        return await self.accept("elsewhere", said, key=key, change="edited", **more)

    async def delete(self, key: str) -> Accepted:
        return await self.accept("elsewhere", "", key=key, change="deleted")

    async def raise_fence(self) -> None:
        await self.rows("INSERT INTO fences (id, reason) VALUES (gen_random_uuid(), 'a test')")

    async def lift_fence(self, lifted_as: str = "uncertain") -> None:
        await self.rows(
            "UPDATE fences SET lifted_at = clock_timestamp(), lifted_as = :lifted_as WHERE lifted_at IS NULL",
            lifted_as=lifted_as,
        )

    async def claim(self, most: int = 100) -> list[Work]:
        return await self.leases.claim(self.name, [self.account.id], most)

    async def close(self, lease: Lease, turn: TurnRow | None = None, **more: Any) -> Work | None:
        end: End | None = "answered" if turn else None
        closing = Closing(turn_id=turn.id if turn else None, end=end, **more)
        return await self.journal.write(Writing(lease=lease, closing=closing))

    async def answer(self, work: Work, **more: Any) -> Work | None:
        """Do a whole turn of what waits."""
        turn = turn_of(work)
        await self.journal.write(begin(work, turn))
        return await self.close(work.lease, turn, **more)

    async def rows(self, query: str, **values: Any) -> list[Any]:
        async with self.engine.begin() as connection:
            found = await connection.execute(text(query), values)
            return list(found.all()) if found.returns_rows else []

    async def one(self, query: str, **values: Any) -> Any:
        """The only value that a query gives."""
        ((value,),) = await self.rows(query, **values)
        return value


@asynccontextmanager
async def open_instance(
    url: str, name: str = "one", *, pool: PoolSize = SMALL, **more: Any
) -> AsyncIterator[Instance]:
    """A store as one gateway has it; `more` goes to the journal."""
    engine = open_engine(url, pool)
    metrics = Metrics(CollectorRegistry())
    account = await PostgresAccounts(engine).register("console", Identity(name="bot", handle="bot"))
    try:
        async with open_journal(engine, metrics, **more) as journal, open_leases(engine, 30.0) as leases:
            yield Instance(
                name=name, engine=engine, account=account, journal=journal, leases=leases, metrics=metrics
            )
    finally:
        await engine.dispose()


def turn_of(work: Work, *, state: str = "open", turn_id: UUID | None = None, **more: Any) -> TurnRow:
    return TurnRow(
        id=turn_id or uuid7(),
        conversation_id=work.line.conversation_id,
        tenant_id=work.line.tenant_id,
        kind="answer",
        state=state,  # type: ignore[arg-type]
        attempts=1,
        deadline_at=datetime.now(UTC) + timedelta(minutes=2),
        **more,
    )


def call_of(work: Work, turn: TurnRow, attempt: int = 0) -> CallRow:
    return CallRow(
        id=uuid7(),
        tenant_id=turn.tenant_id,
        account_id=work.line.place.account_id,
        conversation_id=turn.conversation_id,
        user_id=work.waiting[0].user_id,
        turn_id=turn.id,
        channel="console",
        attempt=attempt,
        model="scripted",
        reserved_prompt=10,
        reserved_completion=100,
        started_at=datetime.now(UTC),
    )


def settle(call: CallRow, **more: Any) -> Settlement:
    usage = Usage(prompt=10, completion=20, cached=3, reasoning=4)
    settled: dict[str, Any] = {
        "call_id": call.id,
        "state": "settled",
        "usage": usage,
        "model": call.model,
        "cost_micro": 500,
        "price_source": "test",
        "duration_ms": 12,
    }
    return Settlement(**settled | more)


def part_of(turn: TurnRow, number: int = 1, body: str = "an answer", **more: Any) -> Part:
    return Part(id=uuid7(), turn_id=turn.id, part=number, **{"op": "send", "body": body, **more})


def said_of(work: Work, turn: TurnRow, role: str, content: str, at: datetime | None = None) -> MessageRow:
    return MessageRow(
        id=uuid7(),
        conversation_id=turn.conversation_id,
        tenant_id=turn.tenant_id,
        turn_id=turn.id,
        role=role,  # type: ignore[arg-type]
        content=content,
        timestamp=at or datetime.now(UTC),
        metadata={"author": "Ann"} if role == "user" else {},
    )


def begin(work: Work, turn: TurnRow, *, call: CallRow | None = None, parts: tuple[Part, ...] = ()) -> Writing:
    """The second commit: the turn takes everything that waits."""
    return Writing(lease=work.lease, turn=turn, takes=work.waiting, call=call, parts=parts)


def whole_turn(work: Work, turn: TurnRow, **closing: Any) -> list[Writing]:
    """Commits two to four of an answer, with a row for every table."""
    call, part = call_of(work, turn), part_of(turn, state="sending")
    composed = turn_of(work, state="composed", turn_id=turn.id, end="answered")
    said = (said_of(work, turn, "user", "hello"), said_of(work, turn, "assistant", "an answer"))
    compose = Writing(lease=work.lease, turn=composed, settlement=settle(call), messages=said, parts=(part,))
    ended = Closing(turn_id=turn.id, end="answered", **closing)
    mark = Mark(part_id=part.id, state="sent", receipt="77")
    return [begin(work, turn, call=call), compose, Writing(lease=work.lease, marks=(mark,), closing=ended)]
