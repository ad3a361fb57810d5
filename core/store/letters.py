"""Turns as an operator looks at them: first those that did not end well, the dead letters. And asks again.

Cold queries only. What people said is read only where it is asked for.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from core.errors import ParleyError
from core.messages import UNTOLD, InboundMessage, Place, Sender
from core.ports import Journal
from core.rows import Arrival, End
from core.store.database import Transaction, own, transaction
from core.store.tables import conversations, inbox, model_calls, outbox, turns

DEAD: tuple[End, ...] = ("undeliverable", "uncertain", "stale")
"""Ends that are never good; an apology is one where an error was its reason."""
MOST_REPLAYS = 100


class NoSuchTurn(ParleyError):
    """No turn, or more than one, has an id that begins like this; or it cannot be asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A turn in one line."""

    id: UUID
    channel: str
    chat: str
    kind: str
    state: str
    end: str | None
    attempts: int
    started_at: datetime
    ended_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """What belongs to a turn, each as a mapping of its columns: `text` and `body` are what people and the bot
    said."""

    messages: tuple[dict[str, Any], ...]
    parts: tuple[dict[str, Any], ...]
    calls: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What is asked again: how many messages; `fresh` is False where that was under way already."""

    messages: int
    fresh: bool


class PostgresLetters:
    """Looks at the turns of all accounts."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def dead(
        self,
        *,
        ends: Sequence[str] = (),
        unfinished: bool = False,
        channel: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
    ) -> list[Letter]:
        """The newest first. Those with one of these `ends`, and those that are `unfinished` where that is
        asked for; with neither, the dead letters."""
        wanted: list[ColumnElement[bool]] = []
        if ends:
            wanted.append(and_(turns.c.state == "closed", turns.c.outcome.in_(ends)))
        if unfinished:
            wanted.append(turns.c.state != "closed")
        query = _letters().where(or_(*wanted) if wanted else _is_dead())
        if channel is not None:
            query = query.where(conversations.c.channel_type == channel)
        if since is not None:
            query = query.where(turns.c.started_at >= since)
        async with transaction(self._engine) as connection:
            rows = await connection.execute(query.order_by(turns.c.id.desc()).limit(limit))
            return [_letter(row) for row in rows]

    async def find(self, prefix: str) -> Letter:
        """The turn whose id begins like this. Raises `NoSuchTurn`."""
        async with transaction(self._engine) as connection:
            return await _find(connection, prefix)

    async def open(self, turn_id: UUID) -> Enclosed:
        """Its messages, its parts and its model calls, each in their order."""
        async with transaction(self._engine) as connection:
            return Enclosed(
                messages=await _mappings(connection, _messages(turn_id)),
                parts=await _mappings(connection, _parts(turn_id)),
                calls=await _mappings(connection, _calls(turn_id)),
            )

    async def replay(self, prefix: str, journal: Journal) -> Replay:
        """Accept what the turn was asked once more, as if it were said now; whoever runs turns is woken.
        While that waits or runs, asking again changes nothing. Raises `NoSuchTurn`."""
        async with transaction(self._engine) as connection:
            letter = await _find(connection, prefix)
            asked = await _asked(connection, letter)
            number = await _replays(connection, letter, asked[0].account_id)
        arrivals = [
            _arrival(row, f"replay:{letter.id}:{number}{f'.{place}' if place else ''}")
            for place, row in enumerate(asked)
        ]
        # Side by side, so that they wait together and are answered together, as they were before.
        accepted = await asyncio.gather(*(journal.accept(arrival) for arrival in arrivals))
        return Replay(messages=len(arrivals), fresh=any(each.fresh for each in accepted))


def _letters() -> Any:
    return select(
        turns.c.id,
        conversations.c.channel_type,
        conversations.c.chat,
        turns.c.kind,
        turns.c.state,
        turns.c.outcome,
        turns.c.attempts,
        turns.c.started_at,
        turns.c.ended_at,
        turns.c.error,
    ).join(conversations, conversations.c.id == turns.c.conversation_id)


def _is_dead() -> ColumnElement[bool]:
    failed = and_(turns.c.outcome == "apologised", turns.c.error != "")
    return and_(turns.c.state == "closed", or_(turns.c.outcome.in_(DEAD), failed))


def _letter(row: Row[*tuple[Any, ...]]) -> Letter:
    return Letter(
        id=own(row.id),
        channel=row.channel_type,
        chat=row.chat,
        kind=row.kind,
        state=row.state,
        end=row.outcome if row.state == "closed" else None,
        attempts=row.attempts,
        started_at=row.started_at,
        ended_at=row.ended_at,
        error=row.error,
    )


async def _find(connection: Transaction, prefix: str) -> Letter:
    first, last = _span(prefix)
    query = _letters().where(turns.c.id.between(first, last)).limit(2)
    found = (await connection.execute(query)).all()
    if not found:
        raise NoSuchTurn(f"there is no turn {prefix!r}; `parley turns list` shows ids")
    if len(found) > 1:
        raise NoSuchTurn(f"several turns have an id that begins with {prefix!r}: give more of it")
    return _letter(found[0])


def _span(prefix: str) -> tuple[UUID, UUID]:
    """The least and the greatest id that begin like this."""
    digits = prefix.replace("-", "").lower()
    if not 0 < len(digits) <= 32 or not set(digits) <= set("0123456789abcdef"):
        raise NoSuchTurn(
            f"{prefix!r} is not the beginning of an id: allowed are the digits 0 to 9 and a to f"
        )
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


async def _mappings(connection: Transaction, query: Any) -> tuple[dict[str, Any], ...]:
    return tuple(dict(row) for row in (await connection.execute(query)).mappings())


def _messages(turn_id: UUID) -> Any:
    of = inbox.c
    said = of.payload["text"].astext.label("text")
    times = func.nullif(of.sent_at, UNTOLD).label("sent_at"), of.accepted_at, of.done_at
    return (
        select(of.kind, of.state, of.outcome, of.attempts, *times, said)
        .where(of.turn_id == turn_id)
        .order_by(of.seq)
    )


def _parts(turn_id: UUID) -> Any:
    of = outbox.c
    return (
        select(of.part, of.op, of.state, of.attempts, of.receipt, of.error, of.first_sent_at, of.body)
        .where(of.turn_id == turn_id)
        .order_by(of.part, of.created_at)
    )


def _calls(turn_id: UUID) -> Any:
    of = model_calls.c
    tokens = of.prompt_tokens, of.completion_tokens
    return (
        select(
            of.attempt, of.model, of.state, *tokens, of.cost_micro, of.started_at, of.duration_ms, of.error
        )
        .where(of.turn_id == turn_id)
        .order_by(of.attempt)
    )


async def _asked(connection: Transaction, letter: Letter) -> Sequence[Any]:
    """The messages to ask again, with their place. A `/stop` asks nothing."""
    if letter.state != "closed":
        raise NoSuchTurn(f"turn {letter.id} has not ended yet: it is gone on with by itself")
    place = conversations.c
    query = (
        select(inbox, place.channel_type, place.chat, place.thread, place.is_direct)
        .join(conversations, place.id == inbox.c.conversation_id)
        .where(inbox.c.turn_id == letter.id, inbox.c.kind != "stop")
        .order_by(inbox.c.seq)
    )
    asked = (await connection.execute(query)).all()
    if not asked or any(row.payload is None for row in asked):
        raise NoSuchTurn(f"what turn {letter.id} was asked has been cleared: it cannot be asked again")
    return asked


async def _replays(connection: Transaction, letter: Letter, account_id: UUID) -> int:
    """How many replays of it have come to an end: the number of the next one, or of the one under way."""
    keys = [f"replay:{letter.id}:{number}" for number in range(MOST_REPLAYS)]
    done = select(func.count()).where(
        inbox.c.account_id == account_id, inbox.c.dedupe_key.in_(keys), inbox.c.state == "done"
    )
    number = int(await connection.scalar(done))
    if number >= MOST_REPLAYS:
        raise NoSuchTurn(f"turn {letter.id} was asked again {number} times: that is enough")
    return number


def _arrival(row: Any, key: str) -> Arrival:
    payload = row.payload
    return Arrival(
        inbox_id=uuid7(),
        user_id=uuid7(),
        conversation_id=uuid7(),
        tenant_id=own(row.tenant_id),
        kind=row.kind,
        message=InboundMessage(
            place=Place(
                account_id=own(row.account_id),
                channel=row.channel_type,
                chat=row.chat,
                thread=row.thread,
                direct=row.is_direct,
            ),
            sender=Sender(**payload["sender"]),
            text=payload["text"],
            dedupe_key=key,
            message_id=payload["message_id"],
            sent_at=UNTOLD,
            extra=payload["extra"],
        ),
        owner=None,
        lease_seconds=1.0,
    )
