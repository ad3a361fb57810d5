"""Decides from the evidence whether the promise held. Pure, and tested with planted bugs.

Every accepted message is covered by exactly one answer, refusal or apology, in order, in the right place,
and nothing is left half done. What readers saw is compared with what was said and with what the
database claims; each contradiction is one finding, and names the invariant that it breaks.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bots.torture.checks.bill import check_bill
from bots.torture.checks.ends import check_ends
from bots.torture.checks.finding import Finding, Invariant, Kind
from bots.torture.checks.index import PLACEHOLDER, Index
from bots.torture.checks.lines import check_lines
from bots.torture.checks.order import check_order
from bots.torture.checks.places import check_places
from bots.torture.checks.remnants import check_remnants
from bots.torture.evidence import Evidence
from bots.torture.remains import InboxRow

__all__ = ["PLACEHOLDER", "Finding", "Invariant", "Kind", "Share", "Verdict", "check"]

CHECKS: Final[tuple[Callable[[Index], Iterator[Finding]], ...]] = (
    check_ends, check_order, check_places, check_lines, check_remnants, check_bill,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What came of one channel's messages."""

    said: int
    accepted: int
    ends: Counter[str]
    strays: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Messages by how they ended, and what was found wrong. `strays` are placeholders left over, `unheard`
    messages that a platform gave up to bring and says so."""

    accepted: int
    ends: Counter[str]
    strays: int
    unheard: int = 0
    findings: tuple[Finding, ...]
    channels: Mapping[str, Share]

    def count(self, kind: Kind, channel: str | None = None) -> int:
        """Findings of a kind, of one channel or of all."""
        kinds = (finding.kind for finding in self.findings if channel in (None, finding.channel))
        return sum(each == kind for each in kinds)

    def broken(self) -> set[Invariant]:
        return {finding.invariant for finding in self.findings}


def check(evidence: Evidence) -> Verdict:
    """The verdict on a trial that is over."""
    index = Index(evidence)
    return Verdict(
        accepted=len(evidence.inbox),
        ends=_ends(evidence.inbox),
        strays=len(index.strays),
        unheard=sum(not said.acknowledged and not index.rows[said.number] for said in evidence.said),
        findings=tuple(finding for each in CHECKS for finding in each(index)),
        channels=_shares(index),
    )


def _ends(rows: Sequence[InboxRow]) -> Counter[str]:
    return Counter(row.outcome or row.state for row in rows)


def _shares(index: Index) -> dict[str, Share]:
    said = Counter(one.channel for one in index.evidence.said)
    rows: dict[str, list[InboxRow]] = defaultdict(list)
    for row in index.evidence.inbox:
        rows[row.channel].append(row)
    return {
        name: Share(
            said=said[name],
            accepted=len(rows[name]),
            ends=_ends(rows[name]),
            strays=len(index.strays_on(name)),
        )
        for name in sorted(said)
    }
