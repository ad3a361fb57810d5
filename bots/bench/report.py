"""What the samples come to: one row a ratio, and the figures behind them, for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from bots.bench.measure import Figure, Samples, middle

UNITS: Mapping[Figure, str] = {
    "cpu": "us CPU/turn",
    "rate": "turns/s",
    "latency": "ms/turn",
    "postgres": "us CPU/turn",
    "redis": "us CPU/turn",
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """A comparison to make: `ours / reference` of one figure, and the most or the least it may be."""

    what: str
    figure: Figure
    ours: str
    reference: str
    _: KW_ONLY
    at_most: float | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A comparison that was made, of medians. `wanted` and `met` are None where nothing is wanted of it."""

    what: str
    ours: float
    reference: float
    unit: str
    ratio: float
    wanted: str | None
    met: bool | None

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "ours": round(self.ours, 2),
            "reference": round(self.reference, 2),
            "unit": self.unit,
            "ratio": round(self.ratio, 4),
            "wanted": self.wanted,
            "met": self.met,
        }


def compare(ratio: Ratio, samples: Samples) -> Row:
    """The ratio of the medians of two contenders."""
    ours = middle(samples[ratio.ours], ratio.figure).median
    reference = middle(samples[ratio.reference], ratio.figure).median
    found = ours / reference
    wanted, met = _judge(found, ratio)
    return Row(
        what=ratio.what,
        ours=ours,
        reference=reference,
        unit=UNITS[ratio.figure],
        ratio=found,
        wanted=wanted,
        met=met,
    )


def compare_all(ratios: Sequence[Ratio], samples: Samples) -> list[Row]:
    """Every ratio that has a reference: what a server spent is not known everywhere."""
    known = [one for one in ratios if middle(samples[one.reference], one.figure).median > 0]
    return [compare(one, samples) for one in known]


def _judge(found: float, ratio: Ratio) -> tuple[str | None, bool | None]:
    if ratio.at_most is not None:
        return f"<= {ratio.at_most:.3f}", found <= ratio.at_most
    if ratio.at_least is not None:
        return f">= {ratio.at_least:.3f}", found >= ratio.at_least
    return None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of one run. `about` says on what it was measured."""

    rows: Sequence[Row]
    samples: Samples
    about: Mapping[str, str]

    @property
    def met(self) -> bool:
        """Nothing that is wanted is missing."""
        return all(row.met is not False for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """`rows` is the result; the rest is what it was made of."""
        return {
            "rows": [row.as_json() for row in self.rows],
            "measured": {name: _figures(self.samples, name) for name in self.samples},
            "about": dict(self.about),
        }

    def as_text(self) -> str:
        about = "\n".join(f"{name}: {value}" for name, value in self.about.items())
        return "\n\n".join((about, _measured_table(self.samples), _ratio_table(self.rows)))


def _figures(samples: Samples, name: str) -> dict[str, Any]:
    found = {figure: middle(samples[name], figure) for figure in UNITS}
    return {
        figure: {"median": round(one.median, 2), "spread": round(one.spread, 3), "unit": UNITS[figure]}
        for figure, one in found.items()
    }


def _measured_table(samples: Samples) -> str:
    head = ("median (spread)", "turns/s", "CPU us/turn", "Postgres us", "Redis us", "ms/turn x lanes")
    order: tuple[Figure, ...] = ("rate", "cpu", "postgres", "redis", "latency")
    rows = []
    for name, taken in samples.items():
        found = [middle(taken, figure) for figure in order]
        rows.append((name, *(f"{one.median:,.1f} ({one.spread:.0%})" for one in found)))
    return _table((head, *rows))


def _ratio_table(rows: Sequence[Row]) -> str:
    head = ("ratio", "ours", "reference", "unit", "ratio", "wanted", "met")
    lines = [
        (
            row.what, f"{row.ours:,.1f}", f"{row.reference:,.1f}", row.unit, f"{row.ratio:.3f}",
            row.wanted or "-", {True: "yes", False: "NO", None: "-"}[row.met],
        )
        for row in rows
    ]  # fmt: skip
    return _table((head, *lines))


def _table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
