"""What may happen to bytes on their way, drawn from a seed: a network's usual misbehaviours, one kind each.

A toxic decides about each chunk of a connection; the `proxy` carries. What a toxic swallowed is never made
up for: a connection that lost bytes ends, as it would on a real line.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal, Protocol, get_args

Kind = Literal["latency", "reset", "timeout", "slow_close", "trickle", "cut", "refuse"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
BLOCKING: Final[frozenset[Kind]] = frozenset({"reset", "timeout", "refuse"})
"""While one of these works nothing gets through."""

LATENCY = (0.2, 0.8)
BYTES_A_SECOND = 1024
CUT_CHANCE = 0.25
DOSE_SECONDS = (0.5, 3.0)


class Flow(Protocol):
    """One direction of a connection."""

    async def pass_on(self, data: bytes) -> None: ...

    def hang_up(self) -> None:
        """End the connection politely, both ways."""

    def reset(self) -> None:
        """End it with a TCP reset, both ways."""


class Spell:
    """The time for which a toxic works; `random` is what it draws from."""

    def __init__(self, kind: Kind, random: Random) -> None:
        self.kind, self.random, self.over = kind, random, asyncio.Event()

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than the toxic works."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.over.wait()

    async def carry(self, data: bytes, flow: Flow) -> None:
        """Do to a chunk what this kind does."""
        await _CARRIERS[self.kind](data, flow, self)


async def _late(data: bytes, flow: Flow, spell: Spell) -> None:
    await spell.rest(spell.random.uniform(*LATENCY))
    await flow.pass_on(data)


async def _reset(data: bytes, flow: Flow, spell: Spell) -> None:
    flow.reset()


async def _swallow(data: bytes, flow: Flow, spell: Spell) -> None:
    await spell.over.wait()
    flow.hang_up()


async def _whole(data: bytes, flow: Flow, spell: Spell) -> None:
    await flow.pass_on(data)


async def _trickle(data: bytes, flow: Flow, spell: Spell) -> None:
    for at in range(0, len(data), BYTES_A_SECOND):
        piece = data[at : at + BYTES_A_SECOND]
        await flow.pass_on(piece)
        await spell.rest(len(piece) / BYTES_A_SECOND)


async def _cut(data: bytes, flow: Flow, spell: Spell) -> None:
    if spell.random.random() >= CUT_CHANCE:
        await flow.pass_on(data)
        return
    await flow.pass_on(data[: spell.random.randrange(len(data))])
    flow.hang_up()


_CARRIERS: Final[Mapping[Kind, Callable[[bytes, Flow, Spell], Awaitable[None]]]] = {
    "latency": _late,
    "reset": _reset,
    "timeout": _swallow,
    "slow_close": _whole,  # the end of a connection is late, not its bytes
    "trickle": _trickle,
    "cut": _cut,
    "refuse": _reset,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """A toxic on a link: `at` seconds after the start, for so many seconds. `seed` is what it draws from."""

    link: str
    kind: Kind
    at: float
    seconds: float
    seed: str


def doses(links: Sequence[str], count: int, seconds: float, seed: int) -> list[Dose]:
    """So many toxics spread over `seconds`, in the order they come; the same for the same seed. Every kind
    is used before one is used again."""
    random = Random(f"{seed} toxics")
    kinds: list[Kind] = []
    while len(kinds) < count:
        kinds += random.sample(KINDS, len(KINDS))
    share = seconds / max(1, count)
    return [
        Dose(
            link=random.choice(links),
            kind=kind,
            at=(number + random.random()) * share,
            seconds=random.uniform(*DOSE_SECONDS),
            seed=f"{seed} toxic {number}",
        )
        for number, kind in enumerate(kinds[:count])
    ]
