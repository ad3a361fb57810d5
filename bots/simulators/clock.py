"""The simulators' time, which a test may turn forward: a day's buffer must not take a day to try.

It gives the dates on messages and decides what has expired. Real waiting (long polls, slow answers) is
left to the event loop.
"""

from time import time


class TurnableClock:
    """Seconds since the epoch, plus whatever `turn` added."""

    def __init__(self) -> None:
        self._turned = 0.0

    def now(self) -> float:
        """Return seconds since the epoch as the simulated platform sees them."""
        return time() + self._turned

    def turn(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self._turned += seconds
