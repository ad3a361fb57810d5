"""I5: nobody reads, and no prompt or row shows, what belongs elsewhere. Every message carries a number of its
own, so whatever names a number has read that message."""

from collections.abc import Iterator

from bots.torture.checks.finding import Finding
from bots.torture.checks.index import Index
from bots.torture.remains import NUMBER


def check_places(index: Index) -> Iterator[Finding]:
    yield from _shown(index)
    yield from _quotes(index)
    yield from _prompts(index)
    yield from _rows(index)


def _shown(index: Index) -> Iterator[Finding]:
    for shown in index.evidence.shown:
        here = shown.place
        for number in dict.fromkeys(map(int, NUMBER.findall(shown.text))):
            if index.place(number) != here:
                line = f"what was said in m{number} stands in {here}"
                yield Finding(kind="foreign", invariant="I5", line=line, channel=shown.channel)


def _quotes(index: Index) -> Iterator[Finding]:
    """An answer quotes what its turn took first. It may name one more before that: a question which only got
    an apology stays in the talk."""
    for shown, numbers in index.answers:
        taken = index.taken(shown)
        asked = index.said.get(min(taken, key=index.order) if taken else numbers[0])
        if asked and asked.place == shown.place and shown.reply_to not in (None, asked.message_id):
            line = f"the answer to m{numbers[0]} quotes another message"
            yield Finding(kind="foreign", invariant="I5", line=line, channel=shown.channel)


def _prompts(index: Index) -> Iterator[Finding]:
    for numbers in index.evidence.prompts:
        if len({index.place(number) for number in numbers}) > 1:
            line = f"one prompt showed messages of several places: {sorted(numbers)}"
            yield Finding(kind="foreign", invariant="I5", line=line)


def _rows(index: Index) -> Iterator[Finding]:
    for number, rows in index.rows.items():
        known = index.said.get(number)
        wanted = (known.user, known.place) if known else None
        if any((row.user, row.place) != wanted for row in rows):
            line = f"m{number} was accepted as somebody else's"
            yield Finding(kind="foreign", invariant="I5", line=line, channel=rows[0].channel)
    for mention in index.evidence.mentions:
        for number in mention.numbers:
            if index.place(number) != mention.place:
                line = f"a row of {mention.table} in {mention.place} names m{number}"
                yield Finding(kind="foreign", invariant="I5", line=line, channel=mention.channel)
