"""The first thing of an answer that people see: a message without answer text, which edits will fill.

Its receipt is committed before any edit puts text into it: a lost response can then repeat nothing but a
placeholder. Where a lost one cannot be found again, one of an account is on its way from an instance at a
time, so that a kill leaves one at most that nobody knows of.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from core.errors import Ambiguous
from core.messages import OutboundMessage
from core.ports import CanReadBack, ChannelAdapter, Clock
from core.rows import Part

TRIES = 2
"""A lost response means a second placeholder at most: it says nothing that could be doubled."""


class Placeholder:
    """One that is written down as `part` and not known to stand there yet."""

    def __init__(
        self,
        adapter: ChannelAdapter,
        message: OutboundMessage,
        part: Part,
        *,
        record: Callable[[Part, str], Awaitable[None]],
        prove: Callable[[], Awaitable[None]],
        lane: asyncio.Lock,
        clock: Clock,
    ) -> None:
        """`record` commits its receipt, `prove` raises `LeaseLost` where somebody else may speak here by now;
        `lane` is held by the one placeholder of this account that is on its way from here."""
        self._adapter = adapter
        self._message = message
        self._part = part
        self._record = record
        self._prove = prove
        self._lane = lane
        self._clock = clock
        self.on_its_way = False

    async def place(self) -> str | None:
        """Send it, and give its receipt once that is committed; None where nobody knows whether it stands
        there. Raises `ChannelError`, `LeaseLost` and `StoreError`."""
        alone = self._adapter.traits.after_ambiguous == "stop"  # elsewhere the next holder finds it again
        async with self._lane if alone else contextlib.nullcontext():
            doubtful = self._part.attempts > 0  # an earlier holder wrote it down and may have sent it
            for _ in range(TRIES):
                await self._prove()
                self.on_its_way = True
                try:
                    receipt = await self._look_back() if doubtful else None
                    receipt = receipt or await self._adapter.send(self._message)
                except Ambiguous:
                    doubtful = True
                    continue
                await self._record(self._part, receipt)
                return receipt
        return None

    async def _look_back(self) -> str | None:
        """The receipt where it is there already and the channel can look; where the platform still knows its
        key, sending it again is looking."""
        traits, first = self._adapter.traits, self._part.first_sent_at
        looks = traits.after_ambiguous == "read_back" or traits.forgets(first, self._clock.now())
        if looks and isinstance(self._adapter, CanReadBack):
            return await self._adapter.read_back(self._message)
        return None
