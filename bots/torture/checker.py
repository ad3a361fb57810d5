"""Decides from the evidence whether the promise held. Pure, and tested with planted faults.

Every accepted message is covered by exactly one answer, refusal or apology, in order, in the right place,
and nothing is left half done. What readers saw is compared with what was said and with what the
database claims; each contradiction is one finding.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bots.torture.crowd import BEGINNING, NUMBER, numbers_of
from bots.torture.evidence import Evidence, InboxRow, Place, Said, Shown
from core.delivery import UNSURE

Kind = Literal["lost", "duplicate", "swap", "foreign", "half", "stray", "silence", "left", "ledger", "exit"]

PLACEHOLDER = "…"
UNANSWERED = ("apologised", "refused", "withdrawn", "undeliverable", "stale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One contradiction of the promise; `channel` where it is one channel's."""

    kind: Kind
    line: str
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What came of one channel's messages."""

    said: int
    accepted: int
    ends: Counter[str]
    strays: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Messages by how they ended, and what was found wrong. `strays` are placeholders left over."""

    accepted: int
    ends: Counter[str]
    strays: int
    findings: tuple[Finding, ...]
    channels: Mapping[str, Share]

    def count(self, kind: Kind, channel: str | None = None) -> int:
        """Findings of a kind, of one channel or of all."""
        kinds = (finding.kind for finding in self.findings if channel in (None, finding.channel))
        return sum(each == kind for each in kinds)


def check(evidence: Evidence) -> Verdict:
    """The verdict on a trial that is over."""
    checks = _Checks(evidence)
    return Verdict(
        accepted=len(evidence.inbox),
        ends=Counter(row.outcome or row.state for row in evidence.inbox),
        strays=len(checks.strays),
        findings=tuple(checks.findings()),
        channels={name: _share(evidence, checks, name) for name in _channels(evidence)},
    )


def _channels(evidence: Evidence) -> list[str]:
    return sorted({said.channel for said in evidence.said})


def _share(evidence: Evidence, checks: "_Checks", channel: str) -> Share:
    rows = [row for row in evidence.inbox if row.channel == channel]
    return Share(
        said=sum(said.channel == channel for said in evidence.said),
        accepted=len(rows),
        ends=Counter(row.outcome or row.state for row in rows),
        strays=len(checks.strays_on(channel)),
    )


class _Checks:
    """The evidence, indexed by the numbers of the messages."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._said = {said.number: said for said in evidence.said}
        self._answers: dict[int, list[Shown]] = defaultdict(list)
        self._rows: dict[int, list[InboxRow]] = defaultdict(list)
        self._whole: list[tuple[Shown, tuple[int, ...]]] = []
        self._others: list[Shown] = []
        self.strays = [shown for shown in evidence.shown if shown.text == PLACEHOLDER]
        for shown in evidence.shown:
            self._sort_in(shown)
        for row in evidence.inbox:
            for number in NUMBER.findall(row.text):
                self._rows[int(number)].append(row)

    def _sort_in(self, shown: Shown) -> None:
        numbers = numbers_of(shown.text)
        if numbers is not None:
            self._whole.append((shown, numbers))
            for number in numbers:
                self._answers[number].append(shown)
        elif shown.text != PLACEHOLDER:
            self._others.append(shown)

    def strays_on(self, channel: str) -> list[Shown]:
        return [shown for shown in self.strays if shown.channel == channel]

    def findings(self) -> Iterator[Finding]:
        for said in self._evidence.said:
            yield from self._covered(said)
        yield from self._in_order()
        yield from self._in_place()
        yield from self._notices()
        yield from self._lines()
        yield from self._left_over()
        yield from self._billed()

    def _covered(self, said: Said) -> Iterator[Finding]:
        """One inbox row, done, and what its end says is what people see."""
        rows, answers = self._rows[said.number], self._answers[said.number]
        name, on = f"m{said.number}", said.channel
        if len(rows) != 1:
            kind: Kind = "duplicate" if rows else "lost"
            yield Finding(kind=kind, line=f"{name} was accepted {len(rows)} times", channel=on)
            return
        row = rows[0]
        if len(answers) > 1:
            yield Finding(kind="duplicate", line=f"{name} was answered {len(answers)} times", channel=on)
        if row.state != "done":
            yield Finding(kind="lost", line=f"{name} was accepted and is still {row.state}", channel=on)
        elif row.outcome == "answered" and not answers:
            yield Finding(
                kind="lost", line=f"{name} counts as answered, and nobody saw an answer", channel=on
            )
        elif row.outcome in UNANSWERED and answers:
            yield Finding(kind="duplicate", line=f"{name} was {row.outcome} and answered too", channel=on)
        elif row.outcome in ("apologised", "refused"):
            yield from self._told(name, row)

    def _told(self, name: str, row: InboxRow) -> Iterator[Finding]:
        """An apology is seen once; a refusal may be covered by another one to the same person."""
        turns = {row.turn}
        if row.outcome == "refused":
            turns |= {
                other.turn
                for other in self._evidence.inbox
                if other.outcome == "refused" and (other.user, other.place) == (row.user, row.place)
            }
        receipts = {
            part.receipt
            for part in self._evidence.parts
            if part.turn in turns and part.op in ("send", "edit") and part.state == "sent"
        }
        here = (shown for shown in self._others if shown.place == row.place)
        lines = [shown for shown in here if shown.id in receipts]
        if not lines:
            line = f"{name} was {row.outcome}, and nobody was told"
            yield Finding(kind="silence", line=line, channel=row.channel)
        elif len(lines) > 1 and row.outcome == "apologised":
            line = f"of {name} people were told {len(lines)} times"
            yield Finding(kind="duplicate", line=line, channel=row.channel)

    def _notices(self) -> Iterator[Finding]:
        """One notice for each turn that nobody is sure of. Where the notice itself was cut short by a kill,
        it may stand there or not."""
        doubted = {
            part.turn for part in self._evidence.parts if (part.op, part.state) == ("notice", "uncertain")
        }
        for place in {row.place for row in self._evidence.inbox}:
            here = (row for row in self._evidence.inbox if row.place == place)
            turns = {row.turn for row in here if row.outcome == "uncertain"}
            seen = sum(shown.place == place for shown in self._others if shown.text == UNSURE)
            line = f"{seen} notices in {place} for {len(turns)} uncertain turns"
            if seen > len(turns):
                yield Finding(kind="duplicate", line=line, channel=place.channel)
            elif seen < len(turns - doubted):
                yield Finding(kind="silence", line=line, channel=place.channel)

    def _in_order(self) -> Iterator[Finding]:
        """Accepted in the order brought, answered in the order accepted, place by place."""
        said: dict[Place, list[int]] = defaultdict(list)
        for one in self._evidence.said:
            said[one.place].append(one.number)
        answered: dict[Place, list[int]] = defaultdict(list)
        for shown, numbers in self._whole:
            known = answered[shown.place]
            known.extend(number for number in numbers if number not in known)
        for how, order in (("accepted", said), ("answered", answered)):
            for place, numbers_here in order.items():
                for before, after in self._swapped(numbers_here, bound=how == "answered"):
                    line = f"m{after} was {how} out of order in {place}: m{before} stands before it"
                    yield Finding(kind="swap", line=line, channel=place.channel)

    def _swapped(self, numbers: Sequence[int], *, bound: bool) -> Iterator[tuple[int, int]]:
        """Each message that was accepted before one that stands before it here. Where their order is not
        `bound`, only what was taken before the other set out counts."""
        seqs = [(self._rows[number][0].seq, number) for number in numbers if self._rows[number]]
        for at, (seq, number) in enumerate(seqs):
            for earlier, other in reversed(seqs[:at]):
                if earlier > seq and (bound or self._said[other].taken <= self._said[number].begun):
                    yield other, number
                    break

    def _in_place(self) -> Iterator[Finding]:
        """Nobody reads, and no prompt shows, what belongs elsewhere."""
        for shown, numbers in self._whole:
            here, on = shown.place, shown.channel
            for number in numbers:
                if self._place(number) != here:
                    line = f"the answer to m{number} stands in {here}"
                    yield Finding(kind="foreign", line=line, channel=on)
            asked = self._said.get(numbers[0])
            if asked and self._place(numbers[0]) == here and shown.reply_to not in (None, asked.message_id):
                line = f"the answer to m{numbers[0]} quotes another message"
                yield Finding(kind="foreign", line=line, channel=on)
        for numbers_seen in self._evidence.prompts:
            if len({self._place(number) for number in numbers_seen}) > 1:
                line = f"one prompt showed messages of several places: {sorted(numbers_seen)}"
                yield Finding(kind="foreign", line=line)
        for number, rows in self._rows.items():
            known = self._said.get(number)
            wanted = (known.user, known.place) if known else None
            if any((row.user, row.place) != wanted for row in rows):
                line = f"m{number} was accepted as somebody else's"
                yield Finding(kind="foreign", line=line, channel=rows[0].channel)

    def _place(self, number: int) -> Place | None:
        said = self._said.get(number)
        return said.place if said else None

    def _lines(self) -> Iterator[Finding]:
        """What is neither a whole answer nor a placeholder must be a line that the outbox knows."""
        parts = self._evidence.parts
        recorded = {(part.channel, part.chat, part.receipt) for part in parts if part.receipt}
        doubtful = {(row.channel, row.chat) for row in self._evidence.inbox if row.outcome == "uncertain"}
        for shown in self._others:
            chat, on = (shown.channel, shown.chat), shown.channel
            if shown.text.startswith(BEGINNING):
                line = f"half an answer was left: {shown.text[:60]!r}"
                yield Finding(kind="half", line=line, channel=on)
            elif (*chat, shown.id) not in recorded and shown.text != UNSURE and chat not in doubtful:
                line = f"nobody recorded this line: {shown.text[:60]!r}"
                yield Finding(kind="duplicate", line=line, channel=on)
        for channel in {shown.channel for shown in self.strays}:
            if (count := len(self.strays_on(channel))) > self._evidence.kills:
                line = f"{count} placeholders are left on {channel} after {self._evidence.kills} kills"
                yield Finding(kind="stray", line=line, channel=channel)

    def _left_over(self) -> Iterator[Finding]:
        """After quiet nothing is open, held, on its way or reserved."""
        evidence = self._evidence
        lines = [
            *evidence.held,
            *(f"turn {turn.id} is {turn.state}" for turn in evidence.turns if turn.state != "closed"),
            *(
                f"a {part.op} of turn {part.turn} is {part.state}"
                for part in evidence.parts
                if part.state in ("pending", "sending")
            ),
            *("a model call is reserved" for row in evidence.ledger if row.state == "reserved"),
        ]
        for line in lines:
            yield Finding(kind="left", line=line)
        for code in evidence.exits:
            if code != 0:
                yield Finding(kind="exit", line=f"an instance ended with {code}, not by a kill of ours")

    def _billed(self) -> Iterator[Finding]:
        """Completed calls cost what the vendor says; calls of killed instances may be booked by estimate."""
        bill = {charge.id: charge for charge in self._evidence.bill}
        settled = [row for row in self._evidence.ledger if row.state == "settled"]
        for row in settled:
            charge = bill.pop(row.request, None)
            if charge is None or (charge.prompt, charge.completion) != (row.prompt, row.completion):
                line = (
                    f"{row.request or 'a call'}: {row.prompt}+{row.completion} tokens are booked, not billed"
                )
                yield Finding(kind="ledger", line=line)
            elif row.estimated:
                yield Finding(kind="ledger", line=f"{row.request}: the vendor's count was not used")
        estimated = len(self._evidence.ledger) - len(settled)
        if len(bill) > estimated:
            line = f"{len(bill)} calls are billed and not settled, {estimated} are booked by estimate"
            yield Finding(kind="ledger", line=line)
