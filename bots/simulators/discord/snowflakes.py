"""Discord's ids: the time in milliseconds, and a count (docs.discord.com/developers/reference#snowflakes).

Ids of things that happen come from the clock and always rise. Ids of people and places come from their
names, so that they are the same in every run.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

EPOCH = 1_420_070_400.0
TIME_SHIFT = 22
# Places and people are as old as the years 2016 to 2025: before everything that happens to them.
OLDEST_MS, SPAN_MS = 31_536_000_000, 315_360_000_000


class Snowflakes:
    """Ids of what happens now; never the same twice, and in order also within a millisecond."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, snowflake_at(self._now()))
        return self._last


def snowflake_at(at: float) -> int:
    """Return the lowest id of a moment (seconds since 1970)."""
    return int((at - EPOCH) * 1000) << TIME_SHIFT


def moment_of(snowflake: int) -> float:
    """Return when an id was made, in seconds since 1970."""
    return (snowflake >> TIME_SHIFT) / 1000 + EPOCH


def stable_id(kind: str, name: str) -> int:
    """Return the id that a name always has; a number is its own."""
    if is_id(name):
        return int(name)
    number = int.from_bytes(sha256(f"{kind}:{name}".encode()).digest()[:8])
    return (OLDEST_MS + number % SPAN_MS) << TIME_SHIFT | (number >> 42)


def is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 2**63


def timestamp(at: float) -> str:
    """Return a moment as the API writes it (docs.discord.com/developers/reference#iso8601-datetime)."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")
