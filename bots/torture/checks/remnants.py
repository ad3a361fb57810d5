"""I8, I9: after quiet nothing is open, held, on its way or reserved; no secret is where it may not be; and
every instance that we did not kill ended in order."""

from collections.abc import Iterator

from bots.torture.checks.finding import Finding
from bots.torture.checks.index import Index


def check_remnants(index: Index) -> Iterator[Finding]:
    evidence = index.evidence
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
        yield Finding(kind="left", invariant="I9", line=line)
    for line in evidence.leaks:
        yield Finding(kind="secret", invariant="I8", line=line)
    for code in evidence.exits:
        if code != 0:
            line = f"an instance ended with {code}, not by a kill of ours"
            yield Finding(kind="exit", invariant="I9", line=line)
