"""What a check may find, and which invariant of the promise it breaks."""

from dataclasses import dataclass
from typing import Final, Literal

from bots.torture.remains import Place

Invariant = Literal["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"]
Kind = Literal[
    "lost", "duplicate", "swap", "foreign", "half", "stray", "silence", "late", "stale", "left",
    "ledger", "budget", "secret", "unwritten", "exit",
]  # fmt: skip

INVARIANTS: Final[dict[Invariant, str]] = {
    "I1": "every accepted message has come to one of the seven ends",
    "I2": "each turn is seen once: an answer, or the line that stands for it",
    "I3": "nothing that a platform counts as taken is missing",
    "I4": "each conversation is accepted and answered in its order",
    "I5": "nobody reads, and no prompt or row shows, what belongs elsewhere",
    "I6": "the ledger says what the vendor bills",
    "I7": "no call used more than was reserved for it",
    "I8": "no secret stands outside of its place",
    "I9": "after quiet nothing is held, reserved, open or on its way",
    "I10": "nothing went out that no row spoke of before",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One contradiction of the promise; `channel` where it is one channel's. `shown_in` is where people see
    what is wrong, if they do, and `about` the numbers of the messages that it answers, as far as known."""

    kind: Kind
    invariant: Invariant
    line: str
    channel: str = ""
    shown_in: Place | None = None
    about: tuple[int, ...] = ()
