"""The time as the machine tells it, put right where that differs from the database's."""

import time
from datetime import UTC, datetime, timedelta

NOTICED = 1.0
"""Seconds; what differs less is left alone."""


class SystemClock:
    """The `Clock` of a real gateway. Its times stand beside those that the database gave, and instances with
    other clocks work on the same conversations."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def correct(self, ahead: float) -> None:
        """This machine's clock is so many seconds before the database's."""
        self._ahead = timedelta(seconds=ahead if abs(ahead) >= NOTICED else 0.0)

    def now(self) -> datetime:
        return datetime.now(UTC) - self._ahead

    def monotonic(self) -> float:
        return time.monotonic()
