"""What a trial left behind: what people saw, what the vendor charged, and the rows of the database.

Gathered once it is quiet and every instance has stopped; judging it is the checker's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.simulators.model.bill import ModelCall

INBOX = """
    SELECT i.payload->>'text' AS text, c.channel_type AS channel, u.channel_user_id AS user, c.chat, c.thread,
           i.seq, i.state, i.outcome, i.turn_id::text AS turn
      FROM inbox i JOIN users u ON u.id = i.user_id JOIN conversations c ON c.id = i.conversation_id
     ORDER BY i.conversation_id, i.seq"""
TURNS = "SELECT id::text, state, outcome FROM turns ORDER BY started_at"
PARTS = """
    SELECT o.turn_id::text AS turn, c.channel_type AS channel, c.chat, o.op, o.state, o.receipt
      FROM outbox o JOIN conversations c ON c.id = o.conversation_id ORDER BY o.created_at"""
CALLS = """
    SELECT state, request_id AS request, prompt_tokens AS prompt, completion_tokens AS completion, estimated
      FROM model_calls ORDER BY started_at"""
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
class Said(InPlace):
    """A message that somebody did say, in the platform's ids. Of two in one place the one that was `taken` by
    the gateway before the other had `begun` to be brought to it is bound to be accepted first; both are on
    one scale within a channel."""

    number: int
    channel: str
    user: str
    chat: str
    thread: str
    message_id: str
    begun: float
    taken: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown(InPlace):
    """A message of the bot as it stands at the end."""

    channel: str
    chat: str
    thread: str
    id: str
    text: str
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow(InPlace):
    text: str
    channel: str
    user: str
    chat: str
    thread: str
    seq: int
    state: str = "done"
    outcome: str | None = "answered"
    turn: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnState:
    id: str
    state: str = "closed"
    outcome: str | None = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRow:
    turn: str
    channel: str
    chat: str
    op: str
    state: str = "sent"
    receipt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    state: str = "settled"
    request: str
    prompt: int
    completion: int
    estimated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A call as the vendor bills it; `done` when its whole answer went out."""

    id: str
    prompt: int
    completion: int
    done: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`shown` in the order it appeared, `prompts` the message numbers each prompt showed the model, `held`
    one line for each lease that nobody gave back, `exits` the codes of instances that we did not kill."""

    said: Sequence[Said]
    shown: Sequence[Shown]
    prompts: Sequence[frozenset[int]]
    bill: Sequence[Charge]
    inbox: Sequence[InboxRow]
    turns: Sequence[TurnState]
    parts: Sequence[PartRow]
    ledger: Sequence[LedgerRow]
    held: Sequence[str] = ()
    kills: int = 0
    exits: Sequence[int] = ()


Row = TypeVar("Row", InboxRow, TurnState, PartRow, LedgerRow)


async def gather(
    engine: AsyncEngine,
    said: Sequence[Said],
    shown: Sequence[Shown],
    prompts: Sequence[frozenset[int]],
    calls: Sequence[ModelCall],
    *,
    kills: int,
    exits: Sequence[int],
) -> Evidence:
    """Read the database and put what the simulators saw beside it."""
    return Evidence(
        said=said,
        shown=shown,
        prompts=prompts,
        bill=[_charge(call) for call in calls],
        inbox=await _rows(engine, INBOX, InboxRow),
        turns=await _rows(engine, TURNS, TurnState),
        parts=await _rows(engine, PARTS, PartRow),
        ledger=await _rows(engine, CALLS, LedgerRow),
        held=await _held(engine),
        kills=kills,
        exits=exits,
    )


def _charge(call: ModelCall) -> Charge:
    return Charge(
        id=call.id,
        prompt=call.prompt_tokens,
        completion=call.completion_tokens,
        done=call.outcome == "done",
    )


async def _rows(engine: AsyncEngine, statement: str, kind: type[Row]) -> list[Row]:
    async with engine.connect() as connection:
        return [kind(**row) for row in (await connection.execute(text(statement))).mappings()]


async def _held(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return list((await connection.scalars(text(HELD))).all())
