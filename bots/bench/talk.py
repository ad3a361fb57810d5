"""What every contender is given: the same people, the same words and the same context.

A lane is one person in one conversation, who asks again when the turn before has ended; as many lanes as
the concurrency are busy at once.
"""

from collections.abc import Awaitable, Callable
from typing import Final

Turn = Callable[[int], Awaitable[None]]
"""Does one whole turn of a lane, to the end of its last commit. Raises `WrongAnswer`."""

MODEL: Final = "gpt-4o-mini"
SYSTEM: Final = "You are a helpful assistant in a chat. Answer in plain words, and briefly."
CONTEXT: Final = 20
WARM_TURNS: Final = CONTEXT // 2 + 1
"""Turns of a lane after which its context is full."""

QUESTION: Final = (
    "How do I make a copy of a list in Python, and what is the difference between a shallow and a deep one?"
)
ANSWER: Final = (
    "A shallow copy shares the items with the first list, a deep copy has its own. Use list() or copy.copy()"
    " for the one and copy.deepcopy() for the other."
)


class WrongAnswer(Exception):
    """A turn ended with another answer than the model's: it must not be counted."""


def check(answer: str | None) -> None:
    """Raises `WrongAnswer` where the turn did not do its work."""
    if answer != ANSWER:
        raise WrongAnswer(f"a turn answered {answer!r} instead of {ANSWER!r}")
