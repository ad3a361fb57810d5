"""I1, I2, I3: every message that a platform counts as taken is accepted once, comes to one of the seven ends,
and what its turn shows people is what that end says, once."""

import re
from collections.abc import Iterator
from typing import get_args

from bots.torture.checks.finding import Finding
from bots.torture.checks.index import Index
from bots.torture.crowd import BEGINNING, numbers_of
from bots.torture.evidence import Said, Shown
from bots.torture.remains import InboxRow, Place, named_in
from core.rows import End

ENDS = get_args(End)
UNANSWERED = ("apologised", "refused", "withdrawn", "undeliverable", "stale")


def check_ends(index: Index) -> Iterator[Finding]:
    for said in index.evidence.said:
        yield from _accepted(index, said)
    for turn, rows in index.rows_of.items():
        yield from _seen_once(index, rows)
        if any(row.outcome == "apologised" for row in rows):
            yield from _apologised(index, turn, rows)
        if any(row.outcome == "undeliverable" for row in rows):
            yield from _undeliverable(index, turn, rows[0])
    yield from _refused(index)


def _accepted(index: Index, said: Said) -> Iterator[Finding]:
    rows, name, on = index.rows[said.number], f"m{said.number}", said.channel
    if len(rows) > 1:
        line = f"{name} was accepted {len(rows)} times"
        yield Finding(kind="duplicate", invariant="I2", line=line, channel=on)
    elif not rows and said.acknowledged:
        line = f"{name} was taken from the platform and never accepted"
        yield Finding(kind="lost", invariant="I3", line=line, channel=on)
    elif rows:
        yield from _ended(index, said, rows[0])


def _ended(index: Index, said: Said, row: InboxRow) -> Iterator[Finding]:
    name, on, ages = f"m{said.number}", said.channel, index.evidence.ages
    answered = any(not _in_passing(index, row, shown) for shown in index.answers_to[said.number])
    if row.state != "done" or row.outcome not in ENDS:
        line = f"{name} was accepted and is still {row.state}, ended as {row.outcome}"
        yield Finding(kind="lost", invariant="I1", line=line, channel=on)
    elif row.outcome == "answered" and not answered and not _left_half(index, row, name):
        line = f"{name} counts as answered, and nobody saw an answer"
        yield Finding(kind="lost", invariant="I2", line=line, channel=on)
    elif row.outcome in UNANSWERED and answered:
        line, about = f"{name} was {row.outcome} and answered too", (said.number,)
        yield Finding(
            kind="duplicate", invariant="I2", line=line, channel=on, shown_in=row.place, about=about
        )
    elif row.outcome == "withdrawn" and not said.withdrawn:
        line = f"{name} counts as withdrawn, and nobody deleted it"
        yield Finding(kind="lost", invariant="I2", line=line, channel=on)
    elif row.outcome == "stale" and row.waited < ages.stale:
        line = f"{name} was closed as stale after {row.waited:.0f} s"
        yield Finding(kind="lost", invariant="I2", line=line, channel=on)
    elif row.outcome == "answered" and row.waited > ages.stale + ages.grace:
        line = f"{name} was answered {row.waited / 3600:.0f} h after it was asked"
        yield Finding(kind="stale", invariant="I2", line=line, channel=on)
    elif row.outcome == "answered" and row.waited > ages.late + ages.grace:
        line = f"{name} was answered {row.waited / 60:.0f} min after it was asked, an apology was due"
        yield Finding(kind="late", invariant="I2", line=line, channel=on)


def _left_half(index: Index, row: InboxRow, name: str) -> bool:
    """Where half an answer stands in place of the whole one, that is the finding."""
    half = re.compile(rf"{BEGINNING} to (?:m\d+, )*{name}\b")
    return any(half.match(line.text) for line in index.lines if line.place == row.place)


def _in_passing(index: Index, row: InboxRow, shown: Shown) -> bool:
    """A question that got an apology stays in the history; the answer to the next one may name it too."""
    others = (other for number in numbers_of(shown.text) or () for other in index.rows[number])
    return row.outcome == "apologised" and any(
        other.outcome == "answered" and other.seq > row.seq and other.place == row.place for other in others
    )


def _seen_once(index: Index, rows: list[InboxRow]) -> Iterator[Finding]:
    """One finding for every answer beyond the first to anything that one turn took."""
    numbers, here = named_in(rows), rows[0].place
    answers = {id(shown): shown for number in numbers for shown in index.answers_to[number]}
    names = ", ".join(f"m{number}" for number in numbers)
    for _ in range(len(answers) - 1):
        line = f"{names} was answered {len(answers)} times"
        yield Finding(
            kind="duplicate", invariant="I2", line=line, channel=here.channel, shown_in=here, about=numbers
        )


def _apologised(index: Index, turn: str, rows: list[InboxRow]) -> Iterator[Finding]:
    """One line stands for all that the turn took."""
    here = rows[0].place
    lines = index.told({turn}, here)
    if len(lines) != 1:
        yield Finding(
            kind="duplicate" if lines else "silence",
            invariant="I2",
            line=f"{rows[0].text!r} was apologised for in {len(lines)} lines",
            channel=here.channel,
            shown_in=here,
            about=named_in(rows),
        )


def _undeliverable(index: Index, turn: str, row: InboxRow) -> Iterator[Finding]:
    """Silence is only allowed where the platform did not take what was said."""
    if not any(part.state == "dead" for part in index.parts_of[turn]):
        line = f"{row.text!r} was given up, and nothing was tried to be said"
        yield Finding(kind="silence", invariant="I2", line=line, channel=row.channel)


def _refused(index: Index) -> Iterator[Finding]:
    """A refusal may stand for what the same person says after it."""
    turns: dict[tuple[str, Place], set[str]] = {}
    refused = [row for row in index.evidence.inbox if row.outcome == "refused"]
    for row in refused:
        turns.setdefault((row.user, row.place), set()).add(row.turn or "")
    told = {(user, place): bool(index.told(of, place)) for (user, place), of in turns.items()}
    for row in refused:
        if not told[row.user, row.place]:
            line = f"{row.text!r} was refused, and nobody was told"
            yield Finding(kind="silence", invariant="I2", line=line, channel=row.channel)
