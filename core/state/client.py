"""One client for all tasks: what they ask within one tick of the event loop goes out together.

Calls wait at most until the exchange before theirs is over, are sent as one pipeline and are answered
one by one: an error reply fails only the call it belongs to, and a caller that went away harms nobody.
When Redis does not answer in time, refuses to write or cannot be reached, it counts as away: calls fail
at once, without waiting, while a probe in the background looks until a write works again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from redis.exceptions import RedisClusterException, RedisError

from core.errors import ParleyError
from core.state import keys
from core.state.commands import Command, Reply, pack
from core.state.wire import Wire

_FAILURES = (RedisError, RedisClusterException, OSError)
_REFUSALS = frozenset(
    ("READONLY", "OOM", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "MISCONF", "NOREPLICAS", "NOAUTH", "NOPERM")
)
"""Error replies that are about the server, not about one key."""
_PROBE: Command = ("SET", keys.PROBE, "1", "EX", 60)
_MOST_COMMANDS = 1_000
"""In one exchange: reading many more replies in one go would hold the event loop too long."""


class Away(ParleyError):
    """Redis did not do what was asked; go on without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Since when Redis is away, and what it or the network said."""

    since: datetime
    reason: str


@dataclass(slots=True, eq=False)
class _Call:
    commands: tuple[Command, ...]
    packed: bytes
    answer: asyncio.Future[list[Reply]]

    def give(self, replies: list[Reply]) -> None:
        if not self.answer.done():
            self.answer.set_result(replies)

    def fail(self, reason: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(Away(reason))


class Client:
    """Ask Redis, or learn at once that it is away. Use it from one event loop."""

    def __init__(
        self,
        wire: Wire,
        *,
        patience: float = 0.25,
        timeout: float = 5.0,
        probe_seconds: float = 0.5,
        lanes: int = 4,
        on_degraded: Callable[[bool], None] | None = None,
    ) -> None:
        """`patience` is how long an exchange may take, `timeout` how long a probe may, in seconds;
        `lanes` is how many exchanges may be under way at once."""
        self._wire = wire
        self._patience = patience
        self._timeout = timeout
        self._probe_seconds = probe_seconds
        self._lanes = lanes
        self._on_degraded = on_degraded
        self._waiting: deque[_Call] = deque()
        self._running: dict[asyncio.Task[None], list[_Call]] = {}
        self._healing: asyncio.Task[None] | None = None
        self._reason = ""
        self.outage: Outage | None = None
        self.exchanges = 0

    async def open(self) -> None:
        """Try once, for at most `timeout`. A Redis that is away is no error: the probe goes on."""
        if not await self._works():
            self._lose(self._reason)

    async def close(self) -> None:
        """Stop everything; callers that still wait learn that Redis is away."""
        self.outage = Outage(since=datetime.now(UTC), reason="closed")
        self._fail_waiting("closed")
        tasks = [*self._running, *([self._healing] if self._healing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(*_FAILURES):
            await self._wire.close()

    async def ask(self, *commands: Command) -> list[Reply]:
        """The replies to these commands, in order. Raises `Away` when any of them was not done."""
        if self.outage is not None:
            raise Away(self.outage.reason)
        loop = asyncio.get_running_loop()
        try:  # here, so that what cannot be packed fails nobody else's call
            call = _Call(commands, pack(commands), loop.create_future())
        except (TypeError, ValueError) as error:
            raise Away(_say(error)) from error
        self._waiting.append(call)
        if len(self._waiting) == 1:
            loop.call_soon(self._send)
        return await call.answer

    async def info(self) -> list[Any]:
        """INFO of every primary, for the health check. Raises `Away`."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._wire.info()
        except _FAILURES as error:
            raise Away(_say(error)) from error

    def _send(self) -> None:
        while self._waiting and len(self._running) < self._lanes:
            calls = self._take()
            task = asyncio.create_task(self._exchange(calls))
            self._running[task] = calls
            task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        for call in self._running.pop(task):  # cancelled, perhaps before it began
            call.fail("closed")
        self._send()

    def _take(self) -> list[_Call]:
        calls: list[_Call] = []
        commands = 0
        while self._waiting and commands < _MOST_COMMANDS:
            calls.append(self._waiting.popleft())
            commands += len(calls[-1].commands)
        return calls

    async def _exchange(self, calls: list[_Call]) -> None:
        self.exchanges += 1
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                replies = await self._wire.exchange(
                    [one for call in calls for one in call.commands],
                    b"".join([call.packed for call in calls]),
                )
            self._share(calls, replies)
        except _FAILURES as error:
            reason = _say(error)
            if time.monotonic() - started < 2 * self._patience:  # else our own event loop was late
                self._lose(reason)
            for call in calls:
                call.fail(reason)

    def _share(self, calls: list[_Call], replies: list[Reply]) -> None:
        rest = iter(replies)
        for call in calls:
            own = list(islice(rest, len(call.commands)))
            error = next((reply for reply in own if isinstance(reply, Exception)), None)
            if error is None:
                call.give(own)
            else:
                call.fail(_say(error))
                if _code(error) in _REFUSALS:
                    self._lose(_say(error))

    def _lose(self, reason: str) -> None:
        self._fail_waiting(reason)
        if self.outage is None:
            self.outage = Outage(since=datetime.now(UTC), reason=reason)
            self._healing = asyncio.create_task(self._heal())
            self._report(True)

    def _fail_waiting(self, reason: str) -> None:
        while self._waiting:
            self._waiting.popleft().fail(reason)

    async def _heal(self) -> None:
        await self._renew()
        while True:
            if await self._works():
                break
            if self.outage is not None:
                self.outage = replace(self.outage, reason=self._reason)
            await asyncio.sleep(self._probe_seconds)
        self.outage = None
        self._report(False)

    def _report(self, degraded: bool) -> None:
        if self._on_degraded is not None:
            self._on_degraded(degraded)

    async def _works(self) -> bool:
        """A write may take its time, since it may have to connect; a second one must be quick."""
        try:
            for seconds in (self._timeout, self._patience):
                async with asyncio.timeout(seconds):
                    (reply,) = await self._wire.exchange([_PROBE], pack([_PROBE]))
                if isinstance(reply, Exception):
                    raise reply
        except Exception as error:  # whatever it is, the probe goes on
            self._reason = _say(error)
            await self._renew()
            return False
        return True

    async def _renew(self) -> None:
        with suppress(*_FAILURES):
            await self._wire.renew()


def _code(error: Exception) -> str:
    """The first word of an error reply; redis-py takes it off the text of those it knows."""
    return getattr(error, "status_code", None) or str(error).partition(" ")[0]


def _say(error: Exception) -> str:
    if type(error) is TimeoutError:
        return "no answer in time"
    return f"{type(error).__name__}: {error}"
