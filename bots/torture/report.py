"""What came of a trial, as a table for people and as JSON for programs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from bots.torture.checker import Finding, Kind, Share, Verdict
from bots.torture.frozen import Hands, explains
from bots.torture.plan import Plan
from core.rows import End

RECOVERY_GRACE = 3.0
"""Seconds beyond the lease within which the conversations of a dead instance must have moved on."""
LINES = 20
FREEZES_FOR_ONE = 10
BY_A_FREEZE: tuple[Kind, ...] = ("duplicate", "swap")
LEAST = {"kill": 20, "postgres": 4, "redis": 4}
"""Faults in each whole minute without which a time of all faults proves nothing."""
FOUND: dict[str, Kind] = {"lost": "lost", "duplicates": "duplicate", "swaps": "swap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict with the times: `recovery` one for each conversation that a dead instance held, `faults`
    how often each kind was inflicted, `frozen` what each instance had in hand that stood still for longer
    than its lease."""

    plan: Plan
    verdict: Verdict
    faults: Mapping[str, int]
    frozen: tuple[Hands, ...] = ()
    recovery: tuple[float, ...]
    seconds: float

    @property
    def held(self) -> bool:
        """Did the promise hold, the time to recover included?"""
        return not self.broken and not self.slow and not self.thin

    @property
    def thin(self) -> bool:
        """Were fewer faults inflicted than a time of all of them needs?"""
        return any(
            sum(times for kind, times in self.faults.items() if kind.split()[0] == name)
            < least * int(self.plan.minutes)
            for name, least in LEAST.items()
        )

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings that nothing excuses."""
        excused = self.excused
        return tuple(finding for finding in self.verdict.findings if finding not in excused)

    @property
    def excused(self) -> tuple[Finding, ...]:
        """A process that was frozen for longer than its lease may complete the one call that it had begun for
        what it had in hand: of ten freezes one may be seen by that; where more are, none is excused."""
        found = tuple(
            finding
            for finding in self.verdict.findings
            if finding.kind in BY_A_FREEZE and any(explains(hands, finding) for hands in self.frozen)
        )
        return found if len(found) <= len(self.frozen) // FREEZES_FOR_ONE else ()

    @property
    def slow(self) -> bool:
        p99 = percentile(self.recovery, 99)
        return p99 is not None and p99 > self.plan.lease + RECOVERY_GRACE

    def as_json(self) -> dict[str, Any]:
        verdict = self.verdict
        return {
            "seed": self.plan.seed,
            "faults": sum(self.faults.values()),
            "faults_by_kind": dict(sorted(self.faults.items())),
            **self._figures(verdict),
            "unheard": verdict.unheard,
            "kills": self.faults.get("kill", 0),
            "freezes": self.faults.get("freeze", 0),
            "recovered": len(self.recovery),
            "recovery_ms": {"p50": _ms(self.recovery, 50), "p99": _ms(self.recovery, 99)},
            "seconds": round(self.seconds, 1),
            "channels": {
                name: {"said": share.said, **self._figures(share, name)}
                for name, share in verdict.channels.items()
            },
            "findings": [{"kind": finding.kind, "line": finding.line} for finding in verdict.findings],
            "held": self.held,
        }

    def _figures(self, share: Verdict | Share, channel: str | None = None) -> dict[str, int]:
        """How messages ended and what was found, of one channel or of all."""
        return {
            "accepted": share.accepted,
            **{end: share.ends[end] for end in get_args(End)},
            **{name: self.verdict.count(kind, channel) for name, kind in FOUND.items()},
            "strays": share.strays,
        }

    def as_table(self) -> str:
        """One line a figure, one line a channel, then what was found, then the sentence that counts."""
        figures = self.as_json()
        channels, recovery = figures.pop("channels"), figures.pop("recovery_ms")
        del figures["findings"], figures["held"]
        figures = {**{f"{kind}": times for kind, times in figures.pop("faults_by_kind").items()}, **figures}
        figures |= {"excused by a freeze": len(self.excused)} if self.excused else {}
        figures |= {"recovery p50 ms": recovery["p50"], "recovery p99 ms": recovery["p99"]}
        width = max(map(len, figures))
        lines = [f"{name:<{width}}  {'-' if value is None else value}" for name, value in figures.items()]
        return "\n".join([*lines, "", *by_channel(channels), "", *self._found(), self._sentence()])

    def _found(self) -> list[str]:
        findings = self.verdict.findings
        lines = [f"{finding.kind}: {finding.line}" for finding in findings[:LINES]]
        if len(findings) > LINES:
            more = Counter(finding.kind for finding in findings[LINES:])
            lines.append("and more: " + ", ".join(f"{count} {kind}" for kind, count in more.items()))
        return lines

    def _sentence(self) -> str:
        if self.broken:
            return "The promise did not hold."
        if self.slow:
            limit = self.plan.lease + RECOVERY_GRACE
            return f"Nothing was lost or doubled, but recovery took longer than {limit:g} s."
        if self.thin:
            return "Nothing was found, but too few faults were inflicted to prove anything."
        return "The promise held."


def by_channel(channels: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A head and a line for each channel."""
    head = ["channel", *next(iter(channels.values()), ())]
    rows = [[name, *map(str, figures.values())] for name, figures in channels.items()]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *rows)
    ]


def percentile(values: tuple[float, ...], percent: int) -> float | None:
    """The smallest value that so many percent do not exceed; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _ms(values: tuple[float, ...], percent: int) -> int | None:
    value = percentile(values, percent)
    return None if value is None else round(value * 1000)
