"""What an instance had in hand while it stood still for longer than its lease.

A call that it had begun may be completed when it wakes, beside what the next holder did meanwhile: that may
be seen in these turns, and nowhere else. What such a thing excuses is the report's to say.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.torture.checks.finding import Finding
from bots.torture.remains import NUMBER, Place

LOOK_SECONDS = 0.1
IN_HAND = """
    SELECT c.channel_type, c.chat, c.thread, i.payload->>'text'
      FROM conversations c JOIN inbox i ON i.conversation_id = c.id AND i.state = 'running'
     WHERE c.lease_owner LIKE '%/' || :pid || '-%'"""

Hands = Mapping[Place, frozenset[int]]
"""The numbers of the messages that an instance was answering, by conversation."""
Look = Callable[[int], Awaitable[Hands]]
"""Gives what the process of this number has in hand; nothing while nobody can look."""


def look_into(engine: AsyncEngine) -> Look:
    """By what the database says."""

    async def look(pid: int) -> Hands:
        try:
            async with engine.connect() as connection:
                rows = (await connection.execute(text(IN_HAND), {"pid": str(pid)})).all()
        except (SQLAlchemyError, OSError):
            return {}
        return joined(
            *(
                {Place(channel, chat, thread): frozenset(map(int, NUMBER.findall(words or "")))}
                for channel, chat, thread, words in rows
            )
        )

    return look


class Frozen:
    """Looks on while instances stand still. `hands` has what each of them held, one for each freeze that was
    longer than the `lease` (seconds)."""

    def __init__(self, look: Look, lease: float) -> None:
        self.hands: list[Hands] = []
        self._look = look
        self._lease = lease

    @asynccontextmanager
    async def watch(self, pid: int) -> AsyncIterator[None]:
        """Enter before it is frozen, leave when it wakes. A commit that was on its way when it stood still
        counts, so one look is not enough."""
        loop = asyncio.get_running_loop()
        seen: list[Hands] = []
        begun = loop.time()
        looking = asyncio.create_task(self._look_on(pid, seen), name=f"hands of {pid}")
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            if loop.time() - begun > self._lease:
                self.hands.append(joined(*seen))

    async def _look_on(self, pid: int, seen: list[Hands]) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            seen.append(await self._look(pid))


def joined(*hands: Hands) -> Hands:
    """What was in any of them."""
    places = {place for each in hands for place in each}
    return {place: frozenset().union(*(each.get(place, ()) for each in hands)) for place in places}


def explains(hands: Hands, finding: Finding) -> bool:
    """May a call that was begun with this in hand be what was found? Of a line that names no message only the
    conversation is known."""
    if finding.shown_in is None or finding.shown_in not in hands:
        return False
    return not finding.about or bool(hands[finding.shown_in] & set(finding.about))
