"""The time as the machine tells it."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The `Clock` of a real gateway."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
