"""Feature flags and experiments: hashes that people write, read through a local copy.

A copy is asked for anew together with whatever else goes to Redis once it is half as old as it may be,
so a busy gateway never waits for flags. While Redis is away the last copy stays in force.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.state.commands import Command, Reply, as_text

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Copy:
    read_at: float
    values: Mapping[str, str]


class Flags:
    """Copies of hashes by key. `seconds` is the age up to which a copy is in force."""

    def __init__(self, *, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._copies: dict[str, _Copy] = {}
        self._asked_at: dict[str, float] = {}

    def due(self, *wanted: str) -> list[str]:
        """The keys worth asking for along the way; each is named once in half the time of a copy."""
        now = self._monotonic()
        keys = [key for key in wanted if now - self._asked_at.get(key, -self._seconds) >= self._seconds / 2]
        self._asked_at.update(dict.fromkeys(keys, now))
        return keys

    def old(self, *wanted: str) -> list[str]:
        """The keys whose copy is missing or too old to go by."""
        oldest = self._monotonic() - self._seconds
        return [key for key in wanted if key not in self._copies or self._copies[key].read_at < oldest]

    def keep(self, key: str, reply: Reply) -> None:
        """Take what Redis said as the copy in force."""
        self._copies[key] = _Copy(self._monotonic(), MappingProxyType(as_text(reply) if reply else {}))

    def copy(self, key: str) -> Mapping[str, str]:
        """The last copy, however old; empty where there never was one."""
        found = self._copies.get(key)
        return found.values if found else _NONE


def read(key: str) -> Command:
    """A whole hash."""
    return ("HGETALL", key)
