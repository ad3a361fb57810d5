"""How much of a long text one message holds, found with as few measurements as can be.

A channel's measure is a parse, and dear: lengths foretell it, and only what may well fit is measured.
What a foretelling decides is beauty alone; nothing is ever taken to fit that was not measured.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

Measure = Callable[[str], int]
Wrap = Callable[[str], str]

LEAST = 0.85  # of its length at least is shown of any text, near enough
FULL = 0.9
CAREFUL = 1.02  # a message not quite filled costs less than one more parse


class Gauge:
    """The channel's measure, with what it showed of this text so far."""

    __slots__ = ("_density", "_held", "_held_size", "_limit", "_measure")

    def __init__(self, measure: Measure, limit: int) -> None:
        self._measure = lru_cache(maxsize=8)(measure)
        self._limit = limit
        self._density = 1.0
        self._held, self._held_size = "", 0

    def size(self, source: str) -> int:
        """Measured, or foretold where it is over the limit by any likelihood."""
        held, size = (self._held, self._held_size) if source.startswith(self._held) else ("", 0)
        more = len(source) - len(held)
        if size + LEAST * min(max(self._density, 1.0), 1.3) * more > self._limit:
            return max(size + int(more * self._density), self._limit + 1)
        found = self._measure(source)
        if found <= self._limit:
            self._held, self._held_size = source, found
        if 4 * len(source) > self._limit:  # of less there is little to learn
            self._density = found / len(source)
        return found

    def foretell(self, source: str) -> int:
        """About the size, by the length alone."""
        return int(len(source) * self._density * (1.0 if self._density == 1.0 else CAREFUL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one piece may hold, and what will be put round it before it is shown."""

    gauge: Gauge
    limit: int
    wraps: tuple[Wrap, ...] = ()

    def fits(self, source: str) -> bool:
        return self._size(source) <= self.limit

    def is_filled_by(self, source: str) -> bool:
        return FULL * self.limit < self._size(source) <= self.limit

    def seems_to_fit(self, source: str) -> bool:
        """Would it fit a message of its own? A guess, without measuring."""
        return self.gauge.foretell(source) <= self.limit

    def most(self, count: int, source_of: Callable[[int], str]) -> int:
        """How many of something fit, when `source_of(n)` is the source of n of them."""
        guess = self.guess(count, source_of)
        return most(count, lambda n: self._size(source_of(n)), self.limit, guess)

    def guess(self, count: int, source_of: Callable[[int], str]) -> int:
        """As `most`, without measuring."""
        return most(count, lambda n: self._foretell(source_of(n)), self.limit, enough=0.995)

    def inside(self, wrap: Wrap) -> "Room":
        return replace(self, wraps=(wrap, *self.wraps))

    def _size(self, source: str) -> int:
        return self.gauge.size(self._wrapped(source))

    def _foretell(self, source: str) -> int:
        return self.gauge.foretell(self._wrapped(source))

    def _wrapped(self, source: str) -> str:
        for wrap in self.wraps:
            source = wrap(source)
        return source


def most(count: int, size: Callable[[int], int], limit: int, guess: int = 1, *, enough: float = 0.95) -> int:
    """About the largest n up to `count` whose size is within the limit; 0 when not even 1 is.

    Sizes grow nearly in step with n, so the next guess is by proportion; a few parses do instead of
    a dozen. What is above `enough` of the limit is good: less than a twentieth may stay unused.
    """
    low, high, tries = 0, count + 1, 0
    while high - low > 1:
        guess = max(low + 1, min(guess, high - 1))
        found = size(guess)
        low, high = (guess, high) if found <= limit else (low, guess)
        if enough * limit < found <= limit:
            break
        tries += 1
        aim = limit if found <= limit else int(0.98 * limit)  # just over the limit again would cost one more
        guess = guess * aim // max(found, 1) if tries < 6 else (low + high) // 2
    return low
