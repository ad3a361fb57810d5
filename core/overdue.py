"""What is too old to be answered, and how it ends instead. Pure: a rule over times.

A question that waited long, through an outage, gets one line for all that waited beside it and no late
answer; one that is a day old is closed and only reported; and one from before a backup was restored may have
been answered already by a gateway of which the database knows nothing, so that nobody answers it again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from core.rows import End, Line, Waiting

Why = Literal["doubted", "stale", "late"]

ENDS: Final[dict[Why, End]] = {"doubted": "uncertain", "stale": "stale", "late": "apologised"}
TEXTS: Final[dict[Why, str | None]] = {
    "doubted": "My memory was restored from a backup, and I cannot tell whether I answered you. "
    "If I did not, please send it again.",
    "stale": None,
    "late": "I was away and could not answer in time. Please send it again if you still need an answer.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Why, and the time before which all that was asked in the conversation has the same end."""

    why: Why
    before: datetime

    @property
    def end(self) -> End:
        return ENDS[self.why]

    @property
    def text(self) -> str | None:
        """One line for the person; None where it is too late even for that."""
        return TEXTS[self.why]


def overdue(
    waiting: Waiting, line: Line, now: datetime, *, late_seconds: float, stale_seconds: float
) -> Overdue | None:
    """Whether a message is too old, the gravest reason first; None when it is to be answered."""
    bounds: tuple[tuple[Why, datetime | None], ...] = (
        ("doubted", line.doubt_before),
        ("stale", now - timedelta(seconds=stale_seconds)),
        ("late", now - timedelta(seconds=late_seconds)),
    )
    for why, before in bounds:
        if before is not None and waiting.asked_at < before:
            return Overdue(why=why, before=before)
    return None
