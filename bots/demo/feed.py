"""What happens, told to every open page, and never at the cost of the gateway.

Each listener has a bounded room. One that does not read fast enough loses its stream instead of slowing
anybody: its browser connects again by itself and is told everything anew. `close` ends all streams at once,
so that a stop need not wait for browsers.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

ROOM = 256
LISTENERS = 24
ALIVE_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a page shows; `body` is what JSON can say."""

    kind: str
    body: dict[str, Any]

    def encoded(self) -> bytes:
        """As html.spec.whatwg.org/multipage/server-sent-events.html has it."""
        return b"event: %s\ndata: %s\n\n" % (self.kind.encode(), orjson.dumps(self.body))


class TooManyPages(Exception):
    """More pages listen than one person opens."""


class Feed:
    """One publisher, many pages."""

    def __init__(self, *, room: int = ROOM, most: int = LISTENERS) -> None:
        self._room = room
        self._most = most
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._closed = False

    @property
    def listeners(self) -> int:
        return len(self._queues)

    def publish(self, event: Event) -> None:
        """Never waits. Who is too slow hears what it has room for, and then its stream ends."""
        if not self._queues:
            return
        line = event.encoded()
        for queue in tuple(self._queues):
            if queue.full():
                self._end(queue)
            else:
                queue.put_nowait(line)

    def listen(self, first: Callable[[], Iterable[Event]]) -> AsyncGenerator[bytes, None]:
        """A stream that begins with all that is known already. Raises `TooManyPages` at once."""
        if len(self._queues) >= self._most:
            raise TooManyPages
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(self._room)
        if self._closed:
            queue.put_nowait(None)
        self._queues.add(queue)
        return self._stream(queue, [event.encoded() for event in first()])

    async def _stream(
        self, queue: "asyncio.Queue[bytes | None]", known: Iterable[bytes]
    ) -> AsyncGenerator[bytes, None]:
        try:
            for line in known:
                yield line
            while (line_or_end := await self._next(queue)) is not None:
                yield line_or_end
        finally:
            self._queues.discard(queue)

    async def _next(self, queue: "asyncio.Queue[bytes | None]") -> bytes | None:
        """The next event; from time to time a comment instead, to notice pages that are gone."""
        try:
            async with asyncio.timeout(ALIVE_SECONDS):
                return await queue.get()
        except TimeoutError:
            return b": still here\n\n"

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for queue in tuple(self._queues):
            self._end(queue)

    def _end(self, queue: "asyncio.Queue[bytes | None]") -> None:
        self._queues.discard(queue)
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(None)
