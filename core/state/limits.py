"""Limits of uses a minute: what a count means, and the local stand-in while Redis is away.

A window opens with its first use and closes sixty seconds later. While Redis is away every instance
counts for itself against its share of the limit, so that together they allow about the limit, and knows for
itself who was the first; what is kept here is bounded, the oldest goes first.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from uuid import UUID

WINDOW = 60


def wait(limit: int, count: int, seconds_left: float) -> int | None:
    """What the `count`-th use in a window means: None when it is allowed, else whole seconds until the window
    closes."""
    return None if count <= limit else max(1, ceil(seconds_left))


class LocalLimits:
    """Windows of this process. `instances` says how many share a limit now."""

    def __init__(
        self, *, instances: Callable[[], int], monotonic: Callable[[], float], most: int = 10_000
    ) -> None:
        self._instances = instances
        self._monotonic = monotonic
        self._most = most
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def hit(self, key: str, limit: int) -> int | None:
        """Count one use against our share of the limit, which is at least one: as `wait`."""
        share = ceil(limit / max(1, self._instances())) if limit > 0 else 0
        window = self._window(key)
        window.count += 1
        return wait(share, window.count, window.end - self._monotonic())

    def is_first(self, key: str, whose: UUID) -> bool:
        """Whose it is who opened this window."""
        window = self._window(key)
        window.whose = window.whose or whose
        return window.whose == whose

    def _window(self, key: str) -> "_Window":
        now = self._monotonic()
        window = self._windows.get(key)
        if window is None or window.end <= now:
            self._windows.pop(key, None)  # so that a new window is the youngest again
            window = self._windows[key] = _Window(end=now + WINDOW)
        if len(self._windows) > self._most:
            self._windows.popitem(last=False)
        return window


@dataclass(slots=True, kw_only=True)
class _Window:
    end: float
    count: int = 0
    whose: UUID | None = None
