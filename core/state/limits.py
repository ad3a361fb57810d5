"""Limits of uses a minute: what a count means, and the local stand-in while Redis is away.

A window opens with its first use and closes sixty seconds later. While Redis is away every instance
counts for itself against its share of the limit, so that together they allow about the limit; the
counters kept here are bounded, the oldest goes first.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

WINDOW = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`wait` is None when the use is allowed, else whole seconds until the window closes; `first` says
    whether this is the first refusal in the window."""

    wait: int | None
    first: bool


def judge(limit: int, count: int, seconds_left: float) -> Verdict:
    """What the `count`-th use in a window means."""
    if count <= limit:
        return Verdict(wait=None, first=False)
    return Verdict(wait=max(1, ceil(seconds_left)), first=count == limit + 1)


class LocalLimits:
    """Counters of this process. `instances` says how many share a limit now."""

    def __init__(
        self, *, instances: Callable[[], int], monotonic: Callable[[], float], most: int = 10_000
    ) -> None:
        self._instances = instances
        self._monotonic = monotonic
        self._most = most
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def hit(self, key: str, limit: int) -> Verdict:
        """Count one use against our share of the limit, which is at least one."""
        share = ceil(limit / max(1, self._instances())) if limit > 0 else 0
        count, left = self.count(key)
        return judge(share, count, left)

    def count(self, key: str) -> tuple[int, float]:
        """Count one use: how many there were in this window, and the seconds until it closes."""
        now = self._monotonic()
        end, count = self._windows.get(key, (0.0, 0))
        if end <= now:
            self._windows.pop(key, None)  # so that a new window is the youngest again
            end, count = now + WINDOW, 0
        self._windows[key] = (end, count + 1)
        if len(self._windows) > self._most:
            self._windows.popitem(last=False)
        return count + 1, end - now
