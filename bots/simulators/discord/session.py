"""One gateway session: its numbered events, which outlive a lost connection for a while.

docs.discord.com/developers/events/gateway#resuming. A connection reads from here at its own pace, so what
is repeated after a RESUME and what is told live take the same way.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from bots.simulators.discord.events import NO_GUILD, Event
from bots.simulators.discord.intents import MESSAGE_CONTENT


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An event with its number, ready to be sent; `repeated` when a fault told it before."""

    sequence: int
    name: str
    data: dict[str, Any]
    chats: frozenset[str] = frozenset()
    repeated: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"op": 0, "t": self.name, "s": self.sequence, "d": self.data}


class Session:
    """What IDENTIFY began; `left_at` is when its last connection was lost, None while it has one."""

    def __init__(self, id: str, intents: int, shard: tuple[int, int]) -> None:
        self.id = id
        self.intents = intents
        self.shard = shard
        self.left_at: float | None = None
        self.dispatches: list[Dispatch] = []
        self.news = asyncio.Event()
        # Only the newest connection reads; an older one that is still open has lost the session.
        self.connection: object | None = None

    @property
    def sequence(self) -> int:
        return len(self.dispatches)

    def wants(self, event: Event) -> bool:
        """Tell whether intents and shard let the event through."""
        if event.intent and not self.intents & event.intent:
            return False
        number, count = self.shard
        return (event.guild_id >> 22) % count == number if event.guild_id != NO_GUILD else number == 0

    def tell(self, event: Event) -> None:
        body = event.body(bool(self.intents & MESSAGE_CONTENT))
        self.add(event.name, body, event.chats)

    def add(
        self, name: str, data: dict[str, Any], chats: frozenset[str] = frozenset(), *, repeated: bool = False
    ) -> None:
        """Number an event and let the connection know."""
        self.dispatches.append(Dispatch(self.sequence + 1, name, data, chats, repeated))
        self.wake()

    def wake(self) -> None:
        self.news.set()
        self.news = asyncio.Event()
