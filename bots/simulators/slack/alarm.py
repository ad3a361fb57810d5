"""A turnable clock that can also be waited for: turning it wakes whoever waits for a later hour.

Slack's three seconds for an acknowledgement and its minutes between retries are counted on it, so a test
turns the clock and does not sleep.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from bots.simulators.clock import TurnableClock


class AlarmClock(TurnableClock):
    """Seconds since the epoch, plus what `turn` added."""

    def __init__(self) -> None:
        super().__init__()
        self._turning = asyncio.Event()

    def turn(self, seconds: float) -> None:
        super().turn(seconds)
        self._turning.set()
        self._turning = asyncio.Event()

    async def until(self, at: float) -> None:
        """Return once the clock shows `at`, by itself or because it was turned."""
        while (left := at - self.now()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._turning.wait()

    async def within(self, seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
        """Return what the work returns; raises TimeoutError when the clock got ahead of it."""
        working = asyncio.create_task(work)
        waiting = asyncio.create_task(self.until(self.now() + seconds))
        try:
            await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise TimeoutError
            return working.result()
        finally:
            for task in (working, waiting):
                task.cancel()
            await asyncio.gather(working, waiting, return_exceptions=True)
