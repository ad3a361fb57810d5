"""What a trial left behind: what people said and saw, what the vendor charged, and the rows of the database.

Gathered once it is quiet and every instance has stopped; judging it is the checker's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from bots.simulators.model.bill import ModelCall
from bots.torture.leaks import find_leaks
from bots.torture.remains import (
    InboxRow,
    InPlace,
    LedgerRow,
    Mention,
    PartRow,
    Rollup,
    TurnState,
    read,
)
from core.delivery import UNSURE

THINKING = "is thinking"
"""What stands where a platform was promised an answer and has none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said(InPlace):
    """A message that somebody did say, in the platform's ids. Of two in one place the one that was `taken` by
    the gateway before the other had `begun` to be brought to it is bound to be accepted first; both are on
    one scale within a channel, and `taken` is infinite where the platform never counted it as taken.
    `withdrawn`: the person deleted it."""

    number: int
    channel: str
    user: str
    chat: str
    thread: str
    message_id: str
    begun: float
    taken: float
    withdrawn: bool = False

    @property
    def acknowledged(self) -> bool:
        """Does the platform believe that the gateway has it?"""
        return self.taken < inf


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
class Charge:
    """A call as the vendor bills it; `done` when its whole answer went out. One that was refused costs
    nothing."""

    id: str
    prompt: int
    completion: int
    done: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """When a question is late and when it is stale (seconds); `grace` is what a turn itself may take."""

    late: float = 15 * 60.0
    stale: float = 24 * 3600.0
    grace: float = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`shown` in the order it appeared, `prompts` the message numbers each prompt showed the model, `held`
    one line for each lease that nobody gave back, `leaks` one for each secret outside of its place, `exits`
    the codes of instances that we did not kill, `reordered` the channels that brought messages out of order,
    `notices` the lines by which people are told that nobody is sure, `unanswered` the sends of a channel that
    may have been done and whose answer never reached the gateway."""

    said: Sequence[Said]
    shown: Sequence[Shown]
    prompts: Sequence[frozenset[int]]
    bill: Sequence[Charge]
    inbox: Sequence[InboxRow]
    turns: Sequence[TurnState]
    parts: Sequence[PartRow]
    ledger: Sequence[LedgerRow]
    mentions: Sequence[Mention] = ()
    rollup: Rollup | None = None
    held: Sequence[str] = ()
    leaks: Sequence[str] = ()
    notices: frozenset[str] = frozenset({UNSURE})
    kills: int = 0
    freezes: int = 0
    unanswered: Mapping[str, int] = field(default_factory=dict)
    exits: Sequence[int] = ()
    reordered: Collection[str] = ()
    ages: Ages = Ages()


async def gather(
    engine: AsyncEngine,
    said: Sequence[Said],
    shown: Sequence[Shown],
    prompts: Sequence[frozenset[int]],
    calls: Sequence[ModelCall],
    *,
    kills: int,
    exits: Sequence[int],
    freezes: int = 0,
    unanswered: Mapping[str, int] | None = None,
    reordered: Collection[str] = (),
    secrets: Mapping[str, str] | None = None,
    redis_url: str | None = None,
    logs: Sequence[Path] = (),
    ages: Ages | None = None,
) -> Evidence:
    """Read the database and put what the simulators saw beside it. `secrets` (name to value) are looked for
    in the database, in Redis, in the `logs` and in what is shown."""
    remains = await read(engine)
    texts = [one.text for one in shown]
    return Evidence(
        said=said,
        shown=shown,
        prompts=prompts,
        bill=[_charge(call) for call in calls],
        inbox=remains.inbox,
        turns=remains.turns,
        parts=remains.parts,
        ledger=remains.ledger,
        mentions=remains.mentions,
        rollup=remains.rollup,
        held=remains.held,
        leaks=await find_leaks(secrets or {}, engine=engine, redis_url=redis_url, logs=logs, shown=texts),
        notices=remains.notices | {UNSURE},
        kills=kills,
        freezes=freezes,
        unanswered=unanswered or {},
        exits=exits,
        reordered=reordered,
        ages=ages or Ages(),
    )


def _charge(call: ModelCall) -> Charge:
    return Charge(
        id=call.id,
        prompt=call.prompt_tokens,
        completion=call.completion_tokens,
        done=call.outcome == "done",
    )
