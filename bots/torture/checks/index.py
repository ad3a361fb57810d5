"""The evidence, sorted so that every check finds in one look what belongs to a message, a turn or a place."""

import re
from collections import defaultdict
from collections.abc import Iterator

from bots.torture.crowd import numbers_of
from bots.torture.evidence import Evidence, Said, Shown
from bots.torture.remains import NUMBER, InboxRow, PartRow, Place, named_in

PLACEHOLDER = "…"
CUT_OFF = re.compile(r"\(cut off: the model stopped in the middle\)[\W_]*\Z")
"""What the gateway puts below an answer whose model broke off again and again, whatever the markup."""
Spot = tuple[str, str, str]
"""A channel, a chat and the platform's id of a message there."""


class Index:
    """`answers` are whole answers with the messages they name, and those that say themselves that they are
    `cut_off`, with the messages of their turn, in the order they appeared; `lines` all else that is no
    placeholder; `strays` the placeholders that were left."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.said: dict[int, Said] = {said.number: said for said in evidence.said}
        self.quoted: dict[Spot, int] = {
            (said.channel, said.chat, said.message_id): said.number for said in evidence.said
        }
        self.rows: dict[int, list[InboxRow]] = defaultdict(list)
        self.rows_of: dict[str, list[InboxRow]] = defaultdict(list)
        self.parts_of: dict[str, list[PartRow]] = defaultdict(list)
        self.recorded: dict[Spot, str] = {}
        self.cut_off: list[Shown] = []
        self.answers: list[tuple[Shown, tuple[int, ...]]] = []
        self.answers_to: dict[int, list[Shown]] = defaultdict(list)
        self.lines: list[Shown] = []
        self.line_at: dict[Spot, Shown] = {}
        self.strays: list[Shown] = []
        self._sort_rows()
        self._sort_shown()

    def place(self, number: int) -> Place | None:
        """Where a message was said; None of one that nobody said."""
        said = self.said.get(number)
        return said.place if said else None

    def told(self, turns: set[str], place: Place) -> list[Shown]:
        """The lines, other than answers and notices, by which these turns told the people of a place."""
        receipts = {
            (part.channel, part.chat, part.receipt or "")
            for turn in turns
            for part in self.parts_of[turn]
            if part.op in ("send", "edit") and part.state == "sent"
        }
        lines = (self.line_at.get(spot) for spot in receipts)
        return [line for line in lines if line is not None and line.place == place]

    def taken(self, shown: Shown) -> tuple[int, ...]:
        """What the turn took to which a shown message belongs by its receipt; nothing where none does."""
        return named_in(self.rows_of.get(self.recorded.get(spot(shown), ""), ()))

    def order(self, number: int) -> int:
        """The place of an accepted message in its conversation."""
        return self.rows[number][0].seq

    def strays_on(self, channel: str) -> list[Shown]:
        return [shown for shown in self.strays if shown.channel == channel]

    def _sort_rows(self) -> None:
        for row in self.evidence.inbox:
            for number in NUMBER.findall(row.text):
                self.rows[int(number)].append(row)
            if row.turn is not None:
                self.rows_of[row.turn].append(row)
        for part in self.evidence.parts:
            self.parts_of[part.turn].append(part)
            if part.receipt:
                self.recorded[part.channel, part.chat, part.receipt] = part.turn

    def _sort_shown(self) -> None:
        joined, absorbed = self._joined()
        for shown in self.evidence.shown:
            numbers = joined.get(spot(shown)) or numbers_of(shown.text) or self._cut_off(shown)
            if numbers is not None:
                self.answers.append((shown, numbers))
                for number in numbers:
                    self.answers_to[number].append(shown)
            elif shown.text == PLACEHOLDER:
                self.strays.append(shown)
            elif spot(shown) not in absorbed:
                self.lines.append(shown)
                self.line_at[spot(shown)] = shown

    def _cut_off(self, shown: Shown) -> tuple[int, ...] | None:
        taken = self.taken(shown) if CUT_OFF.search(shown.text) else ()
        if taken:
            self.cut_off.append(shown)
        return taken or None

    def _joined(self) -> tuple[dict[Spot, tuple[int, ...]], set[Spot]]:
        """Answers that the outbox says were sent in several parts: the numbers of each by its first part, and
        the other parts."""
        at = {spot(shown): shown for shown in self.evidence.shown}
        joined: dict[Spot, tuple[int, ...]] = {}
        absorbed: set[Spot] = set()
        for spots in self._several():
            shown = [at[each] for each in spots if each in at]
            numbers = numbers_of("\n".join(one.text for one in shown)) if len(shown) > 1 else None
            if numbers is not None:
                joined[spot(shown[0])] = numbers
                absorbed.update(spot(one) for one in shown[1:])
        return joined, absorbed

    def _several(self) -> Iterator[list[Spot]]:
        """Where the parts of each turn stand that has more than one of them, in their order."""
        for parts in self.parts_of.values():
            sent = {
                part.part: (part.channel, part.chat, part.receipt)
                for part in parts
                if part.op in ("send", "edit") and part.receipt
            }
            if len(sent) > 1:
                yield [sent[number] for number in sorted(sent)]


def spot(shown: Shown) -> Spot:
    return shown.channel, shown.chat, shown.id
