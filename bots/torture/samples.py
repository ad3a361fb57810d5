"""What a soak measured, and the verdict on it: does anything grow that should not? Pure.

Growth is read off a straight line through all samples after the warm-up, so that one busy moment decides
nothing. Descriptors and tasks come and go with the load: what counts is how many there are when nothing is
left to do, before the long part of the soak and after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import linear_regression, median
from typing import Any

A_LEAK = 10_000
"""Messages for each of which a megabyte may be added."""
WARM_UP = 0.25
"""The first part of a soak is not judged: caches and pools fill."""
FLAT = 5
FEWEST = 8
"""Samples from which anything can be told."""
STEADY, GROWS = "Nothing grows.", "Something grows, or too little was seen."
MISSED = "  <- not held"
DEAD_ALWAYS = 10_000
DEAD_GROWTH = 1.25
"""Dead rows come and go with the vacuum: so many are nothing; beyond them the last third may hold so many
times what the middle one did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One instance at a moment."""

    rss_mb: float
    fds: int
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """All at a moment: `done` messages so far, `dead` rows by table, `queues` by name, the claim in ms."""

    at: float
    done: int
    processes: Mapping[str, Process]
    dead: Mapping[str, int]
    queues: Mapping[str, int]
    claim_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One figure, what it may be, and whether it is."""

    name: str
    value: float
    allowed: str
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """A soak that is over. `idle` are the instances at rest, before and after; `left` is what the queues held
    at the end."""

    said: int
    done: int
    seconds: float
    faults: Mapping[str, int]
    samples: Sequence[Sample]
    idle: tuple[Mapping[str, Process], Mapping[str, Process]]
    left: Mapping[str, int]
    exits: Sequence[int]

    def judged(self) -> list[Judged]:
        """Every figure that counts; of too few samples only what the end says."""
        warm = self.samples[int(len(self.samples) * WARM_UP) :]
        warm = warm if len(self.samples) >= FEWEST else []
        names = sorted({name for sample in warm for name in sample.processes})
        figures = [_memory(name, warm) for name in names]
        figures += [figure for name in self.idle[0] for figure in _at_rest(name, *self.idle)]
        figures += [_dead(table, warm) for table in sorted({t for sample in warm for t in sample.dead})]
        figures += [
            Judged(name=f"{name} at the end", value=count, allowed="0", held=count == 0)
            for name, count in self.left.items()
        ]
        figures.append(
            Judged(name="not done", value=self.said - self.done, allowed="0", held=self.said == self.done)
        )
        figures += [
            Judged(name="exit code", value=code, allowed="0", held=False) for code in self.exits if code
        ]
        return figures

    @property
    def held(self) -> bool:
        """Enough was seen, and nothing grew."""
        return len(self.samples) >= FEWEST and all(figure.held for figure in self.judged())

    def as_json(self) -> dict[str, Any]:
        claims = sorted(sample.claim_ms for sample in self.samples) or [0.0]
        p99 = claims[ceil(len(claims) * 0.99) - 1]
        return {
            "said": self.said,
            "done": self.done,
            "seconds": round(self.seconds, 1),
            "faults": dict(self.faults),
            "samples": len(self.samples),
            "claim_ms": {"p50": round(median(claims), 2), "p99": round(p99, 2)},
            "queue_peaks": _peaks(self.samples),
            "figures": [
                {"name": one.name, "value": round(one.value, 2), "allowed": one.allowed, "held": one.held}
                for one in self.judged()
            ],
            "held": self.held,
        }

    def as_table(self) -> str:
        told = self.as_json()
        figures, held = told.pop("figures"), told.pop("held")
        rows = [(name, str(value), "") for name, value in told.items()]
        rows += [
            (one["name"], f"{one['value']:g}", f"allowed {one['allowed']}{'' if one['held'] else MISSED}")
            for one in figures
        ]
        width = max(len(name) for name, _, _ in rows)
        lines = [f"{name:<{width}}  {value:<12}  {note}".rstrip() for name, value, note in rows]
        return "\n".join([*lines, "", STEADY if held else GROWS])


def _memory(name: str, samples: Sequence[Sample]) -> Judged:
    seen = [(sample.done, sample.processes[name].rss_mb) for sample in samples]
    messages = seen[-1][0] - seen[0][0]
    slope = _slope(seen) * A_LEAK
    most = ceil(messages / A_LEAK) or 1
    grown = slope * messages / A_LEAK
    return Judged(
        name=f"{name} RSS MB per 10k", value=slope, allowed=f"{most} MB in {messages}", held=grown < most
    )


def _at_rest(name: str, before: Mapping[str, Process], after: Mapping[str, Process]) -> tuple[Judged, Judged]:
    return (
        _flat(f"{name} descriptors more", after[name].fds - before[name].fds),
        _flat(f"{name} tasks more", after[name].tasks - before[name].tasks),
    )


def _slope(points: Sequence[tuple[float, float]]) -> float:
    if len({x for x, _ in points}) < 2:
        return 0.0
    return linear_regression([x for x, _ in points], [y for _, y in points]).slope


def _flat(name: str, more: int) -> Judged:
    return Judged(name=name, value=more, allowed=f"<= {FLAT}", held=more <= FLAT)


def _dead(table: str, samples: Sequence[Sample]) -> Judged:
    _, middle, last = _thirds([sample.dead.get(table, 0) for sample in samples])
    most = max(DEAD_ALWAYS, round(max(middle) * DEAD_GROWTH))
    return Judged(name=f"{table} dead rows", value=max(last), allowed=f"<= {most}", held=max(last) <= most)


def _thirds(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    cut = max(1, len(values) // 3)
    return values[:cut], values[cut:-cut] or values[:cut], values[-cut:]


def _peaks(samples: Sequence[Sample]) -> dict[str, int]:
    names = sorted({name for sample in samples for name in sample.queues})
    return {name: max(sample.queues.get(name, 0) for sample in samples) for name in names}
