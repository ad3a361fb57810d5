"""Brings payloads to the app, by its sockets or its request URL, and tries events again that were not taken.

docs.slack.dev/apis/events-api/#retries: an event is tried again nearly at once, after a minute and after
five, and then given up. The platform promises no order; here an event waits a moment for the answer to its
predecessor in the conversation, so that only the fault `reorder` mixes them. An event that found no open
socket goes out as soon as one opens, as the attempt whose turn it then is (Slack publishes nothing on this).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bots.simulators.faults import FaultQueue
from bots.simulators.slack.alarm import AlarmClock
from bots.simulators.slack.events import Delivery
from bots.simulators.slack.outcome import Outcome
from bots.simulators.slack.posts import Poster
from bots.simulators.slack.sockets import Sockets

RETRY_DELAYS = (0.0, 60.0, 300.0)
PREDECESSOR_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to deliver, from `at` to `ended_at`: `number` 0 is the first; `reason` is why it failed, None
    when it was taken."""

    delivery: Delivery
    number: int
    at: float
    ended_at: float
    reason: str | None


class Dispatch:
    """The deliveries under way."""

    def __init__(
        self,
        sockets: Sockets,
        poster: Poster,
        clock: AlarmClock,
        faults: FaultQueue,
        tried: Callable[[], None],
        settled: Callable[[Delivery, Outcome], None],
    ) -> None:
        """`tried` is called after each attempt, `settled` told how each delivery ended, retries included."""
        self.attempts: list[Attempt] = []
        self.delays: tuple[float, ...] = RETRY_DELAYS
        self._sockets = sockets
        self._poster = poster
        self._clock = clock
        self._faults = faults
        self._tried = tried
        self._settled = settled
        self._tasks: set[asyncio.Task[None]] = set()
        self._last: dict[str, asyncio.Event] = {}
        self._overtaken: asyncio.Event | None = None

    def put(self, delivery: Delivery) -> None:
        """Begin to deliver."""
        before = self._last.get(delivery.channel.id)
        tried = self._last[delivery.channel.id] = asyncio.Event()
        task = asyncio.create_task(self._deliver(delivery, before, tried))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __len__(self) -> int:
        return len(self._tasks)

    async def idle(self) -> None:
        """Return once nothing is under way any more, retries that wait for their hour included."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, delivery: Delivery, before: asyncio.Event | None, tried: asyncio.Event) -> None:
        is_event = delivery.kind == "events_api"
        overtaken = await self._take_turn(delivery, before) if is_event else None
        try:
            outcome = await self._attempt(delivery, 0, "")
        finally:
            tried.set()
            if overtaken is not None:
                overtaken.set()
        if is_event:
            outcome = await self._try_again(delivery, outcome)
            await self._repeat(delivery, outcome)
        self._settled(delivery, outcome)

    async def _take_turn(self, delivery: Delivery, before: asyncio.Event | None) -> asyncio.Event | None:
        """Wait for the predecessor. Where that was asked for, let the next event overtake this one instead;
        that one is given the bell by which this one goes on."""
        overtaken, self._overtaken = self._overtaken, None
        if overtaken is not None:
            return overtaken
        pending = self._faults.take({"reorder"}, method=delivery.event_type, chats=delivery.chats)
        if pending is not None:
            self._overtaken = asyncio.Event()
            await wait_for(self._overtaken, max(pending.fault.seconds, PREDECESSOR_SECONDS))
        elif before is not None:
            await wait_for(before, PREDECESSOR_SECONDS)
        return None

    async def _try_again(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        for number, delay in enumerate(self.delays, start=1):
            if outcome.reason is None or outcome.final:
                break
            await self._wait(delay, for_socket=outcome.nobody)
            outcome = await self._attempt(delivery, number, outcome.reason)
        return outcome

    async def _wait(self, delay: float, *, for_socket: bool) -> None:
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._clock.until(self._clock.now() + delay))]
        if for_socket:
            waits.append(asyncio.create_task(self._sockets.opened.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _repeat(self, delivery: Delivery, outcome: Outcome) -> None:
        """Deliver again what was taken already (fault `duplicate`), in new envelopes."""
        if outcome.reason is None:
            pending = self._faults.take({"duplicate"}, method=delivery.event_type, chats=delivery.chats)
            for number in range(1, 1 + (pending.fault.copies if pending else 0)):
                await self._attempt(delivery, number, "http_timeout" if self._poster.url else "timeout")

    async def _attempt(self, delivery: Delivery, number: int, reason: str) -> Outcome:
        at = self._clock.now()
        if self._poster.url:
            outcome = await self._poster.attempt(delivery, number, reason)
        else:
            outcome = await self._sockets.attempt(delivery, number, reason)
        ended_at = self._clock.now()
        attempt = Attempt(delivery=delivery, number=number, at=at, ended_at=ended_at, reason=outcome.reason)
        if not outcome.nobody:
            self.attempts.append(attempt)
            self._tried()
        return outcome


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait, but not for ever."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
