"""Rounds in which every contender has its go, one after another, so that a slow moment of the machine hits
all of them; and what came of it: medians and spread.

CPU is user and system time of this process; wall time on a shared machine says less.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bots.bench.servers import Servers
from bots.bench.talk import WARM_TURNS, Turn
from bots.heap import settle

WARM_SECONDS = 60.0
"""A contender that is not ready by then never will be."""

Figure = Literal["cpu", "rate", "latency", "postgres", "redis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """What is measured under a name: `concurrency` lanes of `turn` at once."""

    name: str
    turn: Turn
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One contender in one round. Times in seconds; CPU is of this process and of the two servers."""

    turns: int
    wall: float
    cpu: float
    postgres: float
    redis: float

    def figure(self, figure: Figure) -> float:
        """CPU in microseconds a turn, the rate in turns a second, the latency in milliseconds (with one
        lane, the length of a turn)."""
        if figure == "rate":
            return self.turns / self.wall
        if figure == "latency":
            return self.wall / self.turns * 1e3
        cpu: float = getattr(self, figure)
        return cpu / self.turns * 1e6


Samples = dict[str, list[Sample]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Middle:
    """The median of a figure, and how far apart the rounds were: (greatest - least) / median."""

    median: float
    spread: float


def middle(samples: Sequence[Sample], figure: Figure) -> Middle:
    """What a contender's rounds come to."""
    values = [sample.figure(figure) for sample in samples]
    found = median(values)
    return Middle(median=found, spread=(max(values) - min(values)) / found if found else 0.0)


async def measure(
    contenders: Sequence[Contender],
    servers: Servers,
    *,
    rounds: int,
    seconds: float,
    say: Callable[[str], None] = lambda line: None,
) -> Samples:
    """Every contender for so many seconds a round, the first one moving on with every round."""
    for contender in contenders:
        await _fill(contender)
    settle()  # as a gateway does, and so that nobody pays for the heap of the others
    samples: Samples = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        start = number % len(contenders)
        for contender in (*contenders[start:], *contenders[:start]):
            samples[contender.name].append(await _sample(contender, servers, seconds))
    return samples


async def _fill(contender: Contender) -> None:
    """Turns that are not counted, until every lane has its context and every connection is there."""

    async def warm(lane: int) -> None:
        for _ in range(WARM_TURNS):
            await contender.turn(lane)

    async with asyncio.timeout(WARM_SECONDS):
        await asyncio.gather(*(warm(lane) for lane in range(contender.concurrency)))


async def _sample(contender: Contender, servers: Servers, seconds: float) -> Sample:
    before = await servers.cpu()
    wall, cpu = time.perf_counter(), time.process_time()
    until = wall + seconds

    async def keep_asking(lane: int) -> int:
        turns = 0
        while turns == 0 or time.perf_counter() < until:
            await contender.turn(lane)
            turns += 1
        return turns

    turns = sum(await asyncio.gather(*(keep_asking(lane) for lane in range(contender.concurrency))))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    after = await servers.cpu()
    return Sample(
        turns=turns,
        wall=wall,
        cpu=cpu,
        postgres=after.postgres - before.postgres,
        redis=after.redis - before.redis,
    )
