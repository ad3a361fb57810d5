"""A final edit, made once more some seconds later.

Of an edit of a preview whose sender died, or that got no answer, nobody knows when the platform carries it
out: it may come after the final one, and half an answer would stand for good. Nothing here is owed: a process
that dies leaves it undone.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from core.errors import ChannelError
from core.messages import Place
from core.ports import CanEdit

log = structlog.get_logger(__name__)

PAUSES = (1.0, 3.0, 30.0)
"""Seconds: most late calls are late by a second, some by as long as their sender would have waited."""
FAREWELL_SECONDS = 2.0


class Afterwards:
    """The edits that are to be made again."""

    def __init__(self, pauses: Sequence[float] = PAUSES) -> None:
        self._pauses = pauses
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def edit(self, adapter: CanEdit, place: Place, receipt: str, text: str) -> None:
        """Twice the same edit is one edit."""
        task = asyncio.create_task(self._edit(adapter, place, receipt, text), name="edit again")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """What is still to be done is done now, if it can be done soon."""
        self._closing.set()
        if tasks := set(self._tasks):
            await asyncio.wait(tasks, timeout=FAREWELL_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _edit(self, adapter: CanEdit, place: Place, receipt: str, text: str) -> None:
        for pause in self._pauses:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            try:
                await adapter.edit(place, receipt, text)
            except ChannelError as error:
                log.info("not edited again", channel=place.channel, why=str(error))
            except Exception:
                log.exception("channel broke", op="edit again")
            if self._closing.is_set():
                return
