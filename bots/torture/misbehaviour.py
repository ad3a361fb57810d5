"""How platforms and the model misbehave all the time of a random run: each call may be struck, by chances
drawn from a seed. Single strikes at single moments are the storm's.

Waits are kept short here: a conversation that waits four hours is not quiet when the run is over. The long
ones are proved one by one in `tests/faults/test_misbehaviour.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

ENDLESS = 1_000_000
LONGEST_WAIT = 3.0
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """What the simulator of `where` knows as `what`, with the fields of a fault."""

    where: str
    what: str
    fields: Mapping[str, float | str] = field(default_factory=dict)


HABITS: Final[Mapping[str, Mapping[str, float]]] = {
    "telegram": {
        "server_error": 20, "accept_then_drop": 5, "duplicate": 30, "reorder": 10, "too_many_requests": 5,
        "bare_limit": 1, "html": 2,
    },
    "discord": {
        "server_error": 20, "accept_then_drop": 5, "too_many_requests": 5, "html": 2, "shared_limit": 1,
    },
    "slack": {
        "server_error": 20, "accept_then_drop": 5, "duplicate": 30, "reorder": 10, "too_many_requests": 5,
        "bare_limit": 1, "html": 2, "lose_ack": 5,
    },
    "model": {
        "server_error": 10, "too_many_requests": 5, "reset": 2, "accept_then_drop": 2, "cut": 2,
        "cut_byte": 2, "stall": 5, "empty": 2, "no_usage": 5,
    },
}  # fmt: skip
"""In percent of the calls, or of the events, that fit."""
ENDING: Final[Mapping[str, Mapping[str, int]]] = {
    "discord": {"lost_session": 20, "refuse_resume": 5, "reconnect": 5, "drop": 5},
    "slack": {"drop_socket": 5, "refuse_socket": 2},
}
"""How often each strikes in a run: they need no call to strike."""
WAITS: Final[frozenset[str]] = frozenset({"too_many_requests", "shared_limit", "stall", "reorder"})
SENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "telegram": ("sendMessage", "editMessageText"),
    "discord": ("create_message", "edit_message"),
    "slack": ("chat.postMessage", "chat.update"),
    "model": ("",),
}
"""The calls that may be refused: a platform that refuses the very first call of a start proves nothing."""
EVENTS: Final[frozenset[str]] = frozenset({"duplicate", "reorder", "lose_ack"})


def habits(seed: int, channels: Sequence[str]) -> list[Lapse]:
    """What goes wrong by chance all the time, on these channels and with the model."""
    random = Random(f"{seed} habits")
    return [
        Lapse(where=where, what=what, fields=_fields(random, what, percent, method))
        for where in (*channels, "model")
        for what, percent in HABITS[where].items()
        for method in ("",) * (what in EVENTS) or SENDS[where]
    ]


def endings(seed: int, channels: Sequence[str]) -> list[Lapse]:
    """What ends sessions and sockets, in the order in which to let it happen, one after another."""
    random = Random(f"{seed} endings")
    found = [
        Lapse(where=where, what=what)
        for where in channels
        for what, times in ENDING.get(where, {}).items()
        for _ in range(times)
    ]
    random.shuffle(found)
    return found


def _fields(random: Random, what: str, percent: float, method: str) -> dict[str, float | str]:
    fields: dict[str, float | str] = {
        "times": ENDLESS, "percent": percent, "seed": random.randrange(ENDLESS)
    }  # fmt: skip
    if method:
        fields["method"] = method
    if what in WAITS:
        fields["seconds"] = round(random.uniform(0.2, LONGEST_WAIT), 2)
    if what in ("cut", "stall"):
        fields["after"] = random.randint(0, 10)
    if what == "cut_byte":
        fields["after"] = random.randint(0, 1500)
    return fields
