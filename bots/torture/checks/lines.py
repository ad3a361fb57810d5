"""I2, I10: what stands beside the answers. One notice for each turn that nobody is sure of, nothing half, and
nothing that the outbox does not know."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from bots.torture.checks.finding import Finding
from bots.torture.checks.index import Index, spot
from bots.torture.crowd import BEGINNING
from bots.torture.evidence import THINKING, Shown
from bots.torture.remains import NUMBER, InboxRow, Place, named_in

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
    seen, nobodys = _notices_of(index)
    for shown in nobodys:
        line = f"a notice stands in {shown.place}, and no turn there lacks one"
        yield Finding(
            kind="duplicate", invariant="I2", line=line, channel=shown.channel, shown_in=shown.place
        )
    for turn, rows in _uncertain(index).items():
        names, here = ", ".join(f"m{number}" for number in named_in(rows)), rows[0].place
        if seen[turn] == 1 or (seen[turn] == 0 and _is_doubted(index, turn)):
            continue
        yield Finding(
            kind="duplicate" if seen[turn] else "silence",
            invariant="I2",
            line=f"{seen[turn]} notices stand in {here} for the turn that took {names}",
            channel=here.channel,
            shown_in=here,
            about=named_in(rows),
        )


def _notices_of(index: Index) -> tuple[Counter[str], list[Shown]]:
    """How many notices each uncertain turn has, and those that are no such turn's. The outbox knows whose a
    notice is by its receipt; whose receipt was lost is told by what the notice quotes, or else by its place:
    there it belongs to the first turn whose notice may have gone out and was not seen."""
    seen: Counter[str] = Counter()
    nobodys, lost = [], []
    turns = _uncertain(index)
    for shown in (line for line in index.lines if line.text in index.evidence.notices):
        turn = index.recorded.get(spot(shown)) or _quoted(index, shown)
        if turn is None:
            lost.append(shown)
        elif turn in turns and turns[turn][0].place == shown.place:
            seen[turn] += 1
        else:
            nobodys.append(shown)
    for shown in lost:
        here = (turn for turn, rows in turns.items() if rows[0].place == shown.place)
        first = next((turn for turn in here if not seen[turn] and _is_doubted(index, turn)), None)
        if first is None:
            nobodys.append(shown)
        else:
            seen[first] += 1
    return seen, nobodys


def _uncertain(index: Index) -> dict[str, list[InboxRow]]:
    """The turns that ended so, in the order accepted, with what they took."""
    return {
        turn: rows for turn, rows in index.rows_of.items() if any(row.outcome == "uncertain" for row in rows)
    }


def _is_doubted(index: Index, turn: str) -> bool:
    """Is the notice of this turn itself one that may have gone out or not?"""
    return any((part.op, part.state) == ("notice", "uncertain") for part in index.parts_of[turn])


def _quoted(index: Index, shown: Shown) -> str | None:
    """The turn that took the message which this one quotes."""
    number = index.quoted.get((shown.channel, shown.chat, shown.reply_to or ""))
    rows = index.rows[number] if number is not None else []
    return rows[0].turn if rows else None


def _lines(index: Index) -> Iterator[Finding]:
    """What is neither a whole answer nor a placeholder must be a line that the outbox knows."""
    doubtful = {(row.channel, row.chat) for row in index.evidence.inbox if row.outcome == "uncertain"}
    begun: Counter[tuple[Place, str]] = Counter()
    for shown in index.lines:
        if shown.text == THINKING:
            line = f"somebody in {shown.place} still waits for a promised answer"
            yield Finding(kind="silence", invariant="I2", line=line, channel=shown.channel)
        elif shown.text.startswith(BEGINNING):
            begun[shown.place, _head(shown)] += 1
            if _may_be_half(index, shown) and begun[shown.place, _head(shown)] == 1:
                continue
            line = f"half an answer was left: {shown.text[:60]!r}"
            yield Finding(kind="half", invariant="I2", line=line, channel=shown.channel)
        elif (
            spot(shown) not in index.recorded
            and shown.text not in index.evidence.notices
            and (shown.channel, shown.chat) not in doubtful
        ):
            line = f"nobody recorded this line: {shown.text[:60]!r}"
            about = tuple(int(number) for number in NUMBER.findall(shown.text))
            yield Finding(
                kind="duplicate",
                invariant="I10",
                line=line,
                channel=shown.channel,
                shown_in=shown.place,
                about=about,
            )


def _head(shown: Shown) -> str:
    """Which questions an answer names at its beginning."""
    return shown.text.partition(".")[0]


def _may_be_half(index: Index, shown: Shown) -> bool:
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
