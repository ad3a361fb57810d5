"""What the database holds after a trial, read once everybody has stopped.

Nothing here trusts a view or a function of the gateway: ages and places are worked out from the plain
columns. Judging is left to the checks.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

NUMBER = re.compile(r"\bm(\d+)\b")

INBOX = """
    SELECT i.payload->>'text' AS text, c.channel_type AS channel, u.channel_user_id AS user, c.chat, c.thread,
           i.seq, i.state, i.outcome, i.turn_id::text AS turn,
           coalesce(extract(epoch FROM coalesce(
             (SELECT max(m.started_at) FROM model_calls m WHERE m.turn_id = t.id), t.started_at, i.done_at)
           - CASE WHEN i.sent_at BETWEEN i.accepted_at - interval '24 hours' AND i.accepted_at THEN i.sent_at
                  ELSE i.accepted_at END), 0)::float8 AS waited
      FROM inbox i JOIN users u ON u.id = i.user_id JOIN conversations c ON c.id = i.conversation_id
      LEFT JOIN turns t ON t.id = i.turn_id
     ORDER BY i.conversation_id, i.seq"""
TURNS = "SELECT id::text, state, outcome FROM turns ORDER BY started_at"
PARTS = """
    SELECT o.turn_id::text AS turn, c.channel_type AS channel, c.chat, o.op, o.state,
           CASE c.channel_type WHEN 'discord' THEN split_part(o.receipt, ':', 1)
                               ELSE o.receipt END AS receipt, o.part
      FROM outbox o JOIN conversations c ON c.id = o.conversation_id ORDER BY o.created_at, o.part"""
CALLS = """
    SELECT turn_id::text AS turn, state, request_id AS request, prompt_tokens AS prompt,
           completion_tokens AS completion, estimated, reserved_prompt, reserved_completion
      FROM model_calls ORDER BY started_at"""
MENTIONS = """
    SELECT 'messages' AS table, c.channel_type AS channel, c.chat, c.thread, m.content AS text
      FROM messages m JOIN conversations c ON c.id = m.conversation_id
    UNION ALL
    SELECT 'outbox', c.channel_type, c.chat, c.thread, o.body
      FROM outbox o JOIN conversations c ON c.id = o.conversation_id"""
NOTICES = "SELECT DISTINCT body FROM outbox WHERE op = 'notice'"
ROLLUP = """
    SELECT coalesce(sum(calls), 0)::bigint AS calls, coalesce(sum(prompt_tokens), 0)::bigint AS prompt,
           coalesce(sum(completion_tokens), 0)::bigint AS completion FROM usage_hourly"""
HELD = """
    SELECT 'conversation ' || id || ' is held by ' || coalesce(lease_owner, 'nobody, but waits')
      FROM conversations WHERE lease_owner IS NOT NULL OR wake_at IS NOT NULL
    UNION ALL
    SELECT 'account ' || id || ' is received by ' || receiver FROM accounts WHERE receiver IS NOT NULL"""


class Place(NamedTuple):
    """Where one line of talk is, in the ids of the channel's folder."""

    channel: str
    chat: str
    thread: str

    def __str__(self) -> str:
        return " ".join(self).rstrip()


class InPlace:
    """What stands somewhere."""

    __slots__ = ()
    channel: str
    chat: str
    thread: str

    @property
    def place(self) -> Place:
        return Place(self.channel, self.chat, self.thread)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow(InPlace):
    """An accepted message. `waited` is how old (seconds) it was when the model was last asked for its sake,
    or when its turn began."""

    text: str
    channel: str
    user: str
    chat: str
    thread: str
    seq: int
    state: str = "done"
    outcome: str | None = "answered"
    turn: str | None
    waited: float = 0.0


def named_in(rows: Iterable[InboxRow]) -> tuple[int, ...]:
    """The numbers of these messages, in order."""
    return tuple(sorted(int(number) for row in rows for number in NUMBER.findall(row.text)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnState:
    id: str
    state: str = "closed"
    outcome: str | None = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    """A row of the outbox; `receipt` is the message's id alone."""

    turn: str
    channel: str
    chat: str
    op: str
    state: str = "sent"
    receipt: str | None
    part: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A model call as booked, with the most it was reserved for."""

    turn: str = ""
    state: str = "settled"
    request: str
    prompt: int
    completion: int
    estimated: bool = False
    reserved_prompt: int
    reserved_completion: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention(InPlace):
    """A row that names messages, and where its conversation is."""

    table: str
    channel: str
    chat: str
    thread: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """The sums that an analyst reads."""

    calls: int
    prompt: int
    completion: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """All of it. `held` has a line for each lease that nobody gave back."""

    inbox: Sequence[InboxRow]
    turns: Sequence[TurnState]
    parts: Sequence[PartRow]
    ledger: Sequence[LedgerRow]
    mentions: Sequence[Mention]
    notices: frozenset[str]
    rollup: Rollup
    held: Sequence[str]


Row = TypeVar("Row", InboxRow, TurnState, PartRow, LedgerRow, Rollup)


async def read(engine: AsyncEngine) -> Remains:
    (rollup,) = await _rows(engine, ROLLUP, Rollup)
    return Remains(
        inbox=await _rows(engine, INBOX, InboxRow),
        turns=await _rows(engine, TURNS, TurnState),
        parts=await _rows(engine, PARTS, PartRow),
        ledger=await _rows(engine, CALLS, LedgerRow),
        mentions=await _mentions(engine),
        notices=frozenset(await _scalars(engine, NOTICES)),
        rollup=rollup,
        held=await _scalars(engine, HELD),
    )


async def _rows(engine: AsyncEngine, statement: str, kind: type[Row]) -> list[Row]:
    async with engine.connect() as connection:
        return [kind(**row) for row in (await connection.execute(text(statement))).mappings()]


async def _scalars(engine: AsyncEngine, statement: str) -> list[str]:
    async with engine.connect() as connection:
        return list((await connection.scalars(text(statement))).all())


async def _mentions(engine: AsyncEngine) -> list[Mention]:
    """Only the numbers are kept: the texts of a long trial are many."""
    found = []
    async with engine.connect() as connection, connection.stream(text(MENTIONS)) as rows:
        async for table, channel, chat, thread, words in rows:
            numbers = tuple({int(number) for number in NUMBER.findall(words or "")})
            if numbers:
                found.append(Mention(table=table, channel=channel, chat=chat, thread=thread, numbers=numbers))
    return found
