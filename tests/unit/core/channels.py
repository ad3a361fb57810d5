"""A channel whose answers to each call are written down beforehand, and a journal of marks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from core.delivery import Delivered, Delivery
from core.errors import LeaseLost
from core.messages import OutboundMessage, Place, Traits
from core.observe import Metrics
from core.rows import Mark, Part
from tests.unit.core.samples import DIRECT, NOON, HandClock


class ScriptedChannel:
    """`outcomes` are played one a call: an error to raise, anything else succeeds."""

    name = "telegram"

    def __init__(self, *outcomes: object, **traits: Any) -> None:
        self.traits = Traits(**{"max_text": 4096, "streaming": "edit", **traits})
        self._outcomes = list(outcomes)
        self.calls: list[tuple[str, str]] = []
        self.keys: list[str] = []
        self.there: dict[str, str] = {}

    def _next(self) -> None:
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if isinstance(outcome, Exception):
            raise outcome

    async def called(self, times: int) -> None:
        """Return when so many calls were made."""
        while len(self.calls) < times:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def send(self, message: OutboundMessage) -> str:
        self.calls.append(("send", message.text))
        self.keys.append(message.key)
        self._next()
        return f"r{len(self.calls)}"

    async def edit(self, place: Place, receipt: str, text: str) -> None:
        self.calls.append((f"edit {receipt}", text))
        self._next()

    async def read_back(self, message: OutboundMessage) -> str | None:
        self.calls.append(("look", message.text))
        self._next()
        return self.there.get(message.text)

    def split(self, text: str) -> tuple[str, ...]:
        return (text,)


@dataclass(slots=True)
class Desk:
    """Delivers parts and keeps what was committed on the way, in order."""

    channel: Any
    clock: HandClock = field(default_factory=HandClock)
    marks: list[tuple[str, str]] = field(default_factory=list)
    new: list[Part] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    names: dict[Any, str] = field(default_factory=dict)
    proofs: list[int] = field(default_factory=list)
    """How many calls were made before each proof of the lease."""
    lost: bool = False

    async def prove(self) -> None:
        self.proofs.append(len(self.channel.calls))
        if self.lost:
            raise LeaseLost("another holds it")

    async def write(self, marks: Sequence[Mark], new: Sequence[Part]) -> None:
        self.new += new
        self.names |= {part.id: part.body for part in new}
        self.marks += self.named(marks)
        self.events.append(f"commit after {len(self.channel.calls)}")

    def named(self, marks: Sequence[Mark]) -> list[tuple[str, str]]:
        return [(self.names[mark.part_id], mark.state) for mark in marks]

    async def deliver(self, *parts: Part, resumed: bool = False) -> Delivered:
        return await self._delivery(parts).deliver(parts, resumed=resumed)

    async def confess(self, *parts: Part) -> Delivered:
        return await self._delivery(parts).confess(parts, "in doubt")

    def drop(self, *parts: Part) -> Delivered:
        return self._delivery(parts).drop(parts, "stale", "too old")

    def _delivery(self, parts: Sequence[Part]) -> Delivery:
        self.names |= {part.id: part.body for part in parts}
        return Delivery(
            self.channel,
            OutboundMessage(place=DIRECT, text="", key="", asked_at=NOON),
            self.write,
            self.clock,
            Metrics(CollectorRegistry()),
            pauses=(0.0, 0.0, 0.0),
            prove=self.prove,
        )
