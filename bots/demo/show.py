"""The show: watches the stage and tells every page what a reader would see and what the engine did.

It reads, and speaks as the newcomer; it changes nothing else. It never makes the gateway wait: what the
engine tells is noted at once, and looking into the stores is done afterwards, in a task of its own.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from bots.demo.feed import Event, Feed
from bots.demo.panes import bubble
from bots.demo.stage import Stage
from bots.demo.trace import Shelf, Trace, Tracer
from bots.simulators.ledger import Seen
from core.turn import Turn

log = structlog.get_logger(__name__)

PATIENCE = 3600.0
SHOWN_MESSAGES = 60


class Show:
    """What pages are told. Its `watch` goes into the stage before the stage itself is there: see `run`."""

    def __init__(self, version: str) -> None:
        self.feed = Feed()
        self._version = version
        self._stage: Stage | None = None
        self._tracer = Tracer(self._asked_at, self._heard)
        self._closed: asyncio.Queue[tuple[Trace, Turn]] = asyncio.Queue()
        self.watch = self._tracer.watch

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(self._stage.platforms) if self._stage else ()

    @asynccontextmanager
    async def running(self, stage: Stage) -> AsyncIterator[None]:
        """Watch this stage while entered; on the way out every stream ends."""
        self._stage = stage
        tasks = [asyncio.create_task(self._follow(name), name=f"pane {name}") for name in stage.platforms]
        tasks.append(
            asyncio.create_task(self._look_up(Shelf(stage.gateway.engine, stage.redis)), name="shelf")
        )
        try:
            yield
        finally:
            self.feed.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def speak(self, channel: str, text: str) -> str:
        """See `Stage.speak`."""
        if self._stage is None:
            raise KeyError(channel)
        return self._stage.speak(channel, text)

    def listen(self) -> AsyncGenerator[bytes, None]:
        """A stream for one page. Raises `TooManyPages`."""
        return self.feed.listen(self._known)

    def _known(self) -> Iterator[Event]:
        yield Event(kind="hello", body={"version": self._version, "channels": self.channels})
        for channel in self.channels:
            for seen in self._seen(channel)[-SHOWN_MESSAGES:]:
                yield Event(kind="message", body=bubble(channel, seen))
        for trace in self._tracer.newest.values():
            yield Event(kind="trace", body=trace.as_json())

    def _asked_at(self, channel: str) -> float | None:
        return self._stage.asked_at.get(channel) if self._stage else None

    def _heard(self, trace: Trace, turn: Turn) -> None:
        self.feed.publish(Event(kind="trace", body=trace.as_json()))
        if trace.closed:
            self._closed.put_nowait((trace, turn))

    async def _look_up(self, shelf: Shelf) -> None:
        """A store that cannot be read now is no reason to stop watching."""
        while True:
            trace, turn = await self._closed.get()
            try:
                trace.stored = await shelf.read(turn)
                self.feed.publish(Event(kind="trace", body=trace.as_json()))
            except Exception as error:
                if is_cancelled():  # and told as an error of the driver
                    raise
                log.warning("the stores could not be shown", error=type(error).__name__)

    def _seen(self, channel: str) -> list[Seen]:
        assert self._stage is not None
        return self._stage.platforms[channel].seen()

    async def _follow(self, channel: str) -> None:
        """Tell of every message that is new or looks different; woken by the simulator, never by a clock."""
        assert self._stage is not None
        platform, shown = self._stage.platforms[channel], dict[str, dict[str, Any]]()
        while True:
            try:
                fresh = await platform.wait_for(lambda seen: _news(channel, seen, shown), PATIENCE)
            except TimeoutError:
                continue
            for body in fresh:
                shown[body["id"]] = body
                self.feed.publish(Event(kind="message", body=body))


def is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _news(channel: str, seen: Sequence[Seen], shown: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    bubbles = [bubble(channel, each) for each in seen[-SHOWN_MESSAGES:]]
    standing = {each["id"] for each in bubbles}
    gone = [
        {**body, "deleted": True}
        for name, body in shown.items()
        if name not in standing and not body["deleted"] and len(seen) < SHOWN_MESSAGES
    ]
    return [each for each in bubbles if shown.get(each["id"]) != each] + gone
