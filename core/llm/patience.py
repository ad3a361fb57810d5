"""How long a call waits for the next thing: the timeouts it was built with, and the moment they come to.

Only what the model says is a sign of life. Comments that a server sends to keep a connection open are not.
"""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `first`: from the call to the first event; `between`: from one event to the next; `last`:
    from the finish reason to what may still follow it; `whole`: of an answer that does not stream."""

    connect: float = 5.0
    first: float = 20.0
    between: float = 15.0
    last: float = 2.0
    whole: float = 120.0


class Patience:
    """One call's deadline on the loop's clock, moved on by every event."""

    __slots__ = ("_loop", "_moment", "_streams", "_timeouts")

    def __init__(self, timeouts: Timeouts, *, streams: bool) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeouts = timeouts
        self._streams = streams
        self._moment = self._loop.time() + (timeouts.first if streams else timeouts.whole)

    def limit(self) -> asyncio.Timeout:
        """Raises `TimeoutError` in its block when the deadline passes."""
        return asyncio.timeout_at(self._moment)

    def renew(self, *, ended: bool) -> None:
        """Something came; `ended`: the model is at its end."""
        if self._streams:
            self._moment = self._loop.time() + (self._timeouts.last if ended else self._timeouts.between)
