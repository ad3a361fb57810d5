"""What people waited, alone and while somebody else's flood was to be answered, and whether that is fair.

Pure. A wait counts from the moment the platform has the question until the whole answer is shown, since
that is what a person sees; from acceptance until the turn begins is told beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bots.torture.report import percentile

MOST = 3.0
"""How many times longer the slowest twentieth of waits may get."""
FEWEST = 10
"""Questions from which anything can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Of one question, in seconds: until its turn `begun`, and until its whole answer was `shown`."""

    begun: float
    shown: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Those of one person. `behind` is how many messages of somebody else waited when the first and the last
    of these questions was asked."""

    name: str
    waits: Sequence[Wait]
    behind: tuple[int, int] = (0, 0)
    judged: bool = True

    def ms(self, percent: int) -> tuple[float, float]:
        """Milliseconds until begun and until shown; 0 of no question."""
        begun = percentile(tuple(wait.begun for wait in self.waits), percent) or 0.0
        shown = percentile(tuple(wait.shown for wait in self.waits), percent) or 0.0
        return begun * 1000, shown * 1000

    def as_json(self) -> dict[str, Any]:
        (begun, shown), (begun95, shown95) = self.ms(50), self.ms(95)
        return {
            "name": self.name,
            "questions": len(self.waits),
            "behind": list(self.behind),
            "begun_ms": {"p50": round(begun, 1), "p95": round(begun95, 1)},
            "shown_ms": {"p50": round(shown, 1), "p95": round(shown95, 1)},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """One person's waits, alone and behind each flood. `about` says on what it was measured."""

    alone: Waits
    floods: Sequence[Waits]
    about: Mapping[str, str]

    @property
    def met(self) -> bool:
        """Enough was asked while others waited, and nobody waited too long for them."""
        judged = [flood for flood in self.floods if flood.judged]
        enough = all(len(waits.waits) >= FEWEST for waits in (self.alone, *judged))
        return enough and all(self.ratio(flood) <= MOST for flood in judged)

    def ratio(self, flood: Waits) -> float:
        """How many times longer the slowest twentieth was until the whole answer was shown."""
        return flood.ms(95)[1] / (self.alone.ms(95)[1] or 1.0)

    def as_json(self) -> dict[str, Any]:
        floods = [
            {
                **flood.as_json(),
                "ratio": round(self.ratio(flood), 3),
                "begun_ratio": round(flood.ms(95)[0] / (self.alone.ms(95)[0] or 1.0), 3),
                "wanted": f"<= {MOST:g}" if flood.judged else None,
                "met": len(flood.waits) >= FEWEST and self.ratio(flood) <= MOST if flood.judged else None,
            }
            for flood in self.floods
        ]
        return {"alone": self.alone.as_json(), "floods": floods, "about": dict(self.about), "met": self.met}

    def as_text(self) -> str:
        told = self.as_json()
        head = (
            "asked",
            "questions",
            "behind",
            "begun p50 ms",
            "p95 ms",
            "shown p50 ms",
            "p95 ms",
            "ratio",
            "met",
        )
        rows = [head, *(_row(one) for one in (told["alone"], *told["floods"]))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        about = [f"{name}: {value}" for name, value in self.about.items()]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join([*about, "", *table])


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    first, last = one["behind"]
    begun, shown = one["begun_ms"], one["shown_ms"]
    met = {True: "yes", False: "NO", None: "-"}[one.get("met")]
    return (
        *(one["name"], str(one["questions"]), f"{first} to {last}"),
        *(f"{begun['p50']:,.0f}", f"{begun['p95']:,.0f}", f"{shown['p50']:,.0f}", f"{shown['p95']:,.0f}"),
        *(str(one.get("ratio", "")), met),
    )
