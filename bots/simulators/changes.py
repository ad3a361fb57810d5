"""A bell that simulators ring whenever something happened, so that nobody has to sleep and look again."""

import asyncio
from collections.abc import Callable
from typing import Any


class Changes:
    """Wakes all who wait; each looks for itself whether it was what it waited for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_until(
        self, reached: Callable[[], Any], timeout: float, instead: Callable[[], str] = str
    ) -> Any:
        """Return the first true value of `reached`, looked at now and after each change.

        Raises TimeoutError after `timeout` seconds; `instead` tells what there was in its place.
        """
        try:
            async with asyncio.timeout(timeout):
                while not (value := reached()):
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise TimeoutError(f"not seen within {timeout:g} s; {instead()}") from None
