"""I2, I10: what stands beside the answers. One notice for each turn that nobody is sure of, nothing half, and
nothing that the outbox does not know."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from bots.torture.checks.finding import Finding
from bots.torture.checks.index import Index, spot
from bots.torture.crowd import BEGINNING
from bots.torture.evidence import Shown
from bots.torture.remains import NUMBER, Place

NEVER_FOUND_AGAIN: Final = frozenset({"telegram"})
"""Where neither a key nor a look back tells whether a message that was sent is there."""


def check_lines(index: Index) -> Iterator[Finding]:
    yield from _notices(index)
    yield from _lines(index)
    yield from _answers(index)
    yield from _strays(index)
    yield from _cut_off(index)


def _notices(index: Index) -> Iterator[Finding]:
    """Where the notice itself was cut short by a kill, it may stand there or not."""
    doubted = {
        part.turn
        for parts in index.parts_of.values()
        for part in parts
        if (part.op, part.state) == ("notice", "uncertain")
    }
    turns: dict[Place, set[str | None]] = defaultdict(set)
    for row in index.evidence.inbox:
        if row.outcome == "uncertain":
            turns[row.place].add(row.turn)
    seen = Counter(line.place for line in index.lines if line.text in index.evidence.notices)
    for place in turns.keys() | seen.keys():
        line = f"{seen[place]} notices in {place} for {len(turns[place])} uncertain turns"
        if seen[place] > len(turns[place]):
            yield Finding(kind="duplicate", invariant="I2", line=line, channel=place.channel)
        elif seen[place] < len(turns[place] - doubted):
            yield Finding(kind="silence", invariant="I2", line=line, channel=place.channel)


def _lines(index: Index) -> Iterator[Finding]:
    """What is neither a whole answer nor a placeholder must be a line that the outbox knows."""
    doubtful = {(row.channel, row.chat) for row in index.evidence.inbox if row.outcome == "uncertain"}
    begun: Counter[tuple[Place, str]] = Counter()
    for shown in index.lines:
        if shown.text.startswith(BEGINNING):
            begun[shown.place, _head(shown)] += 1
            if _is_doubted(index, shown) and begun[shown.place, _head(shown)] == 1:
                continue
            line = f"half an answer was left: {shown.text[:60]!r}"
            yield Finding(kind="half", invariant="I2", line=line, channel=shown.channel)
        elif (
            spot(shown) not in index.recorded
            and shown.text not in index.evidence.notices
            and (shown.channel, shown.chat) not in doubtful
        ):
            line = f"nobody recorded this line: {shown.text[:60]!r}"
            yield Finding(kind="duplicate", invariant="I10", line=line, channel=shown.channel)


def _head(shown: Shown) -> str:
    """Which questions an answer names at its beginning."""
    return shown.text.partition(".")[0]


def _is_doubted(index: Index, shown: Shown) -> bool:
    """Of an answer of which one part may have been lost, the notice takes the place of the rest."""
    numbers = [int(number) for number in NUMBER.findall(_head(shown))]
    ends = [row.outcome for number in numbers for row in index.rows[number]]
    return bool(ends) and all(end == "uncertain" for end in ends)


def _answers(index: Index) -> Iterator[Finding]:
    """An answer stands where some row of its turn's outbox says that one was to be sent."""
    for shown, numbers in index.answers:
        turns = [row.turn or "" for number in numbers for row in index.rows[number]]
        if turns and not any(index.parts_of.get(turn) for turn in turns):
            line = f"the answer to m{numbers[0]} was sent, and no row speaks of it"
            yield Finding(kind="unwritten", invariant="I10", line=line, channel=shown.channel)


def _cut_off(index: Index) -> Iterator[Finding]:
    """Only a model that broke off may leave an answer unfinished."""
    broken = sum(not charge.done for charge in index.evidence.bill)
    for shown in index.cut_off[broken:]:
        line = f"an answer was cut off, and no call broke off: {shown.text[:60]!r}"
        yield Finding(kind="half", invariant="I2", line=line, channel=shown.channel)


def _strays(index: Index) -> Iterator[Finding]:
    """Who died or woke too late may leave one placeholder, and where a lost one cannot be found again, so may
    whoever never got an answer."""
    evidence = index.evidence
    for channel, count in Counter(shown.channel for shown in index.strays).items():
        allowed = evidence.freezes
        if channel in NEVER_FOUND_AGAIN:
            allowed += evidence.kills + evidence.unanswered.get(channel, 0)
        if count > allowed:
            line = f"{count} placeholders are left on {channel}, where {allowed} may be"
            yield Finding(kind="stray", invariant="I2", line=line, channel=channel)
