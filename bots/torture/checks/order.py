"""I4: accepted in the order brought, answered in the order accepted, place by place."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from bots.torture.checks.finding import Finding
from bots.torture.checks.index import Index
from bots.torture.remains import Place


def check_order(index: Index) -> Iterator[Finding]:
    for place, numbers in _said(index).items():
        if place.channel not in index.evidence.reordered:
            for before, after in _overtaken(index, numbers):
                line = _out_of_order(place, "accepted", before, after)
                yield Finding(kind="swap", invariant="I4", line=line, channel=place.channel)
    for place, numbers in _answered(index).items():
        for before, after in _swapped(index, numbers):
            line, about = _out_of_order(place, "answered", before, after), (before, after)
            yield Finding(
                kind="swap", invariant="I4", line=line, channel=place.channel, shown_in=place, about=about
            )


def _said(index: Index) -> dict[Place, list[int]]:
    said: dict[Place, list[int]] = defaultdict(list)
    for one in index.evidence.said:
        said[one.place].append(one.number)
    return said


def _answered(index: Index) -> dict[Place, list[int]]:
    """The messages of each place in the order in which an answer first named them."""
    answered: dict[Place, dict[int, None]] = defaultdict(dict)
    for shown, numbers in index.answers:
        answered[shown.place] |= dict.fromkeys(numbers)
    return {place: list(numbers) for place, numbers in answered.items()}


def _out_of_order(place: Place, how: str, before: int, after: int) -> str:
    return f"m{after} was {how} out of order in {place}: m{before} stands before it"


def _swapped(index: Index, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each message that was accepted before one that stands before it here."""
    latest, latest_seq = 0, -1
    for number in numbers:
        if not index.rows[number]:
            continue
        seq = index.rows[number][0].seq
        if seq < latest_seq:
            yield latest, number
        else:
            latest, latest_seq = number, seq


def _overtaken(index: Index, numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each message that was accepted before one which the gateway had taken when it set out. Swept in the
    order of time, so that many messages of one place are no burden."""
    known = [index.said[number] for number in numbers if index.rows[number]]
    taken = sorted(known, key=lambda said: said.taken)
    at, latest, latest_seq = 0, 0, -1
    for said in sorted(known, key=lambda said: said.begun):
        seq = index.rows[said.number][0].seq
        while at < len(taken) and taken[at].taken <= said.begun:
            other = taken[at].number
            if index.rows[other][0].seq > latest_seq:
                latest, latest_seq = other, index.rows[other][0].seq
            at += 1
        if seq < latest_seq:
            yield latest, said.number
