"""A turn as it went: its ten steps with their times, what it used and cost, and what is stored of it now.

The engine tells of seven steps as they end; the first three, before there is a turn, are read off the marks
they left: when the person pressed Enter, the time inside the inbox row's id, when that row was written. All
times are milliseconds after Enter. Rows and keys are read from the stores themselves, not remembered.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from core.observe import Step
from core.state import keys
from core.store import tables
from core.turn import Turn

STEPS = {
    Step.RECEIVE: "the platform's event becomes a message",
    Step.ACCEPT: "first commit: from here on it cannot be lost",
    Step.HOLD: "this instance takes the conversation",
    Step.ADMIT: "limits, session and context in one wait on Redis",
    Step.CHOOSE: "the model and its instructions, or a command",
    Step.PROMPT: "what fits of the talk",
    Step.BEGIN: "second commit, then the answer grows",
    Step.COMPOSE: "third commit: transcript, ledger, what is owed",
    Step.DELIVER: "the final text, each receipt written down",
    Step.CLOSE: "fourth commit; the conversation is free again",
}

COLUMNS = {
    "inbox": ("seq", "kind", "state", "outcome", "payload", "accepted_at", "done_at"),
    "turns": ("kind", "state", "outcome", "attempts", "started_at", "ended_at"),
    "model_calls": (
        "model", "state", "prompt_tokens", "completion_tokens", "cost_micro", "price_source",
        "first_token_ms", "duration_ms", "finish_reason",
    ),
    "outbox": ("part", "op", "state", "receipt", "attempts", "body"),
    "messages": ("role", "content", "model_used", "token_count", "timestamp"),
}  # fmt: skip
ORDER = {"outbox": "created_at", "messages": "timestamp", "inbox": "seq"}
LONGEST = 160
SHOWN_ENTRIES = 4

Now = Callable[[], float]


@dataclass(slots=True, kw_only=True)
class Trace:
    """What is known so far of one turn; `asked_at` is in seconds since the epoch."""

    turn_id: UUID
    channel: str
    asked_at: float
    steps: dict[str, tuple[float, float]] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        return Step.CLOSE in self.steps

    def put(self, step: str, begin: float, end: float) -> None:
        """Times as seconds since the epoch; clocks of a millisecond may cross a little."""
        begin = max(begin, self.asked_at)
        self.steps[step] = ((begin - self.asked_at) * 1000, max(0.0, end - begin) * 1000)

    def as_json(self) -> dict[str, Any]:
        """Milliseconds with three digits behind the point."""
        return {
            "channel": self.channel,
            "turn": str(self.turn_id),
            "closed": self.closed,
            "total": round(max((begin + long for begin, long in self.steps.values()), default=0.0), 3),
            "steps": [
                {"name": name, "what": what, **_span(self.steps.get(name))} for name, what in STEPS.items()
            ],
            **self.stored,
        }


class Tracer:
    """Listens to the engine: the hook `House.watch`. Remembers the newest turn of each channel."""

    def __init__(
        self,
        asked_at: Callable[[str], float | None],
        changed: Callable[[Trace, Turn], None],
        now: Now = time.time,
    ) -> None:
        """`asked_at(channel)` is when its person pressed Enter last; `changed` must not wait."""
        self._asked_at = asked_at
        self._changed = changed
        self._now = now
        self.newest: dict[str, Trace] = {}

    def watch(self, turn: Turn, step: str, seconds: float) -> None:
        """Told of every step as it ends."""
        end = self._now()
        trace = self.newest.get(turn.line.place.channel)
        if trace is None or trace.turn_id != turn.id:
            trace = self._open(turn, end - seconds)
        trace.put(step, end - seconds, end)
        self._changed(trace, turn)

    def _open(self, turn: Turn, taken_up: float) -> Trace:
        channel, asked = turn.line.place.channel, turn.asked
        handed_in, accepted = made_at(asked.inbox_id), asked.accepted_at.timestamp()
        trace = Trace(turn_id=turn.id, channel=channel, asked_at=self._asked_at(channel) or handed_in)
        trace.put(Step.RECEIVE, trace.asked_at, handed_in)
        trace.put(Step.ACCEPT, handed_in, accepted)
        trace.put(Step.HOLD, accepted, taken_up)
        self.newest[channel] = trace
        return trace


class Shelf:
    """Reads what the two stores hold of a turn."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        self._engine = engine
        self._redis = redis

    async def read(self, turn: Turn) -> dict[str, Any]:
        """`{"rows": {table: [row]}, "keys": [key], "usage": {...}}`, texts cut to a glance."""
        rows = {name: await self._rows(name, turn) for name in COLUMNS}
        return {"rows": rows, "keys": await self._keys(turn), "usage": usage(rows["model_calls"])}

    async def _rows(self, name: str, turn: Turn) -> list[dict[str, Any]]:
        table = tables.metadata.tables[name]
        asked = select(*(table.c[column] for column in COLUMNS[name]))
        asked = asked.where(table.c["id" if name == "turns" else "turn_id"] == turn.id)
        if name in ORDER:
            asked = asked.order_by(table.c[ORDER[name]])
        async with self._engine.connect() as connection:
            found = (await connection.execute(asked)).all()
        return [dict(zip(COLUMNS[name], map(glance, row), strict=True)) for row in found]

    async def _keys(self, turn: Turn) -> list[dict[str, Any]]:
        place, person = turn.line.place, turn.asked
        names = (
            keys.session(place.channel, person.user_id, person.message.sender.id),
            keys.rate("user", person.user_id),
            keys.context(turn.line.conversation_id),
            keys.active(place.channel, int(time.time() // 60)),
        )
        return [found for name in names if (found := await self._key(name))]

    async def _key(self, name: str) -> dict[str, Any] | None:
        kind = str(await self._redis.type(name))
        if kind == "none":
            return None
        value: Any
        if kind == "hash":
            value = await self._redis.hgetall(name)
        elif kind == "list":
            value = await self._redis.lrange(name, 0, SHOWN_ENTRIES - 1)
        elif kind == "set":
            value = sorted(map(str, await self._redis.smembers(name)))[:SHOWN_ENTRIES]
        else:
            value = await self._redis.get(name)
        return {"key": name, "type": kind, "ttl": await self._redis.ttl(name), "value": glance(value)}


def usage(calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The turn's model calls added up; cost in micro-units, None where a price is not known."""
    costs = [call["cost_micro"] for call in calls]
    return {
        "calls": len(calls),
        "model": calls[-1]["model"] if calls else "",
        "prompt": sum(call["prompt_tokens"] for call in calls),
        "completion": sum(call["completion_tokens"] for call in calls),
        "cost_micro": None if None in costs else sum(costs),
        "first_token_ms": calls[0]["first_token_ms"] if calls else None,
    }


def glance(value: Any) -> Any:
    """A value as JSON and people take it, long texts cut."""
    if isinstance(value, datetime):
        return value.strftime("%H:%M:%S.%f")[:-3]
    if isinstance(value, Mapping):
        return {str(name): glance(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [glance(each) for each in value]
    if isinstance(value, str) and len(value) > LONGEST:
        return value[:LONGEST] + "…"
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


def made_at(identity: UUID) -> float:
    """When a UUIDv7 was made, to the millisecond (rfc-editor.org/rfc/rfc9562#name-uuid-version-7)."""
    return (identity.int >> 80) / 1000


def _span(times: tuple[float, float] | None) -> dict[str, float | None]:
    return {"at": round(times[0], 3), "ms": round(times[1], 3)} if times else {"at": None, "ms": None}
