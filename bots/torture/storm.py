"""Which faults strike in a random run, and when: all of it drawn from one seed.

Faults of one track follow each other, so that nothing is started while it is being started; the tracks
run side by side, so that an instance dies while Postgres is away and Slack tells everything twice.
Pure: what each fault does is its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from bots.torture.faults import (
    Deploy,
    Fault,
    Freeze,
    Kill,
    LockRedis,
    Misbehave,
    PauseRedis,
    RestartPostgres,
    RestartRedis,
    Spoil,
    WipeRedis,
)
from bots.torture.toxics import doses

FROZEN_BEYOND_LEASE = 1.5
"""Seconds that a freeze is longer than the lease."""
POSTGRES_AWAY = (0.0, 2.0)
REDIS_AWAY = (0.5, 3.0)
SLOW = (0.5, 4.0)
EVERY = {"kills": 2.5, "postgres": 12.0, "redis": 12.0, "freezes": 20.0, "deploys": 100.0, "providers": 3.0}
"""Seconds of the run for each fault of a track."""
TOXIC_EVERY = 8.0
LINKS = ("postgres", "redis", "model")
"""What every instance is connected to, beside the platforms."""

REFUSALS: Mapping[str, tuple[str, ...]] = {
    "telegram": ("server_error", "reset", "accept_then_drop", "html", "reorder", "duplicate"),
    "discord": (
        *("server_error", "reset", "accept_then_drop", "html", "shared_limit", "duplicate", "drop"),
        *("reconnect", "invalid_session", "lost_session", "refuse_resume", "refuse_connection"),
    ),
    "slack": (
        *("server_error", "reset", "accept_then_drop", "accept_then_error", "html", "end_stream"),
        *("duplicate", "reorder", "lose_ack", "drop_socket", "refuse_socket"),
    ),
    "model": ("server_error", "reset", "accept_then_drop", "html", "error_in_stream", "cut"),
}
WAITS: Mapping[str, tuple[str, ...]] = {
    "telegram": ("too_many_requests", "slow"),
    "discord": ("too_many_requests", "global_limit", "slow", "delay"),
    "slack": ("too_many_requests", "slow"),
    "model": ("too_many_requests", "stall"),
}
"""What lasts some seconds; the others strike a few calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """A fault and its moment, in seconds after the start."""

    at: float
    fault: Fault


def storm(seed: int, seconds: float, lease: float, channels: Sequence[str]) -> dict[str, list[Blow]]:
    """The blows of each track, in order: one at a random moment of each equal share of the time."""
    draws: dict[str, Callable[[Random], Iterator[Fault]]] = {
        "kills": _kills,
        "postgres": _postgres,
        "redis": _redis,
        "freezes": lambda random: _freezes(random, lease + FROZEN_BEYOND_LEASE),
        "deploys": _deploys,
        "providers": lambda random: _misbehaviour(random, (*channels, "model")),
    }
    tracks = {
        name: _track(Random(f"{seed} {name}"), EVERY[name], seconds, draw) for name, draw in draws.items()
    }
    toxics = doses((*LINKS, *channels), round(seconds / TOXIC_EVERY), seconds, seed)
    return tracks | {"network": [Blow(at=dose.at, fault=Spoil(dose=dose)) for dose in toxics]}


def _track(
    random: Random, every: float, seconds: float, draw: Callable[[Random], Iterator[Fault]]
) -> list[Blow]:
    faults = draw(random)
    shares = max(1, round(seconds / every))
    share = seconds / shares
    return [Blow(at=(number + random.random()) * share, fault=next(faults)) for number in range(shares)]


def _kills(random: Random) -> Iterator[Fault]:
    while True:
        yield Kill(draw=random.random())


def _freezes(random: Random, seconds: float) -> Iterator[Fault]:
    while True:
        yield Freeze(draw=random.random(), seconds=seconds)


def _deploys(random: Random) -> Iterator[Fault]:
    while True:
        yield Deploy()


def _postgres(random: Random) -> Iterator[Fault]:
    while True:
        yield RestartPostgres(seconds=random.uniform(*POSTGRES_AWAY))


def _redis(random: Random) -> Iterator[Fault]:
    """Each kind as often as any other."""
    while True:
        kinds: list[Fault] = [
            RestartRedis(seconds=random.uniform(*REDIS_AWAY)),
            WipeRedis(),
            LockRedis(seconds=random.uniform(*REDIS_AWAY)),
            PauseRedis(seconds=random.uniform(*REDIS_AWAY)),
        ]
        random.shuffle(kinds)
        yield from kinds


def _misbehaviour(random: Random, places: Sequence[str]) -> Iterator[Fault]:
    while True:
        where = random.choice(places)
        what = random.choice((*REFUSALS[where], *WAITS[where]))
        fields: dict[str, float] = {"times": random.randint(1, 4), "seed": random.randrange(1000)}
        if what in WAITS[where] or what in ("reorder", "shared_limit"):
            fields["seconds"] = round(random.uniform(*SLOW), 2)
        if what in ("cut", "error_in_stream", "stall"):
            fields["after"] = random.randint(0, 10)
        yield Misbehave(where=where, what=what, fields=fields)
