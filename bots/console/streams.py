"""What the console channel asks of the place it stands on, be it a terminal or a pair of pipes.

The channel decides what is said and when; how it looks, and how a key or a line comes in, is left to
`terminal.py` and `pipe.py`.
"""

from typing import Literal, Protocol


class Streams(Protocol):
    """One person's way in and out. The methods that print raise `OSError` when nobody reads any more."""

    @property
    def streaming(self) -> Literal["none", "draft"]:
        """Whether an answer is shown while it grows."""
        ...

    async def read(self) -> str | None:
        """The next message, never empty, or None at the end of the input."""
        ...

    async def say(self, text: str) -> None:
        """Print a whole message; of one that grew before, what is still missing."""
        ...

    async def grow(self, text: str) -> None:
        """Show the answer so far. Droppable."""
        ...

    async def note(self, text: str) -> None:
        """Tell the person something that is not an answer."""
        ...

    async def stop_asked(self) -> None:
        """Return when the person wants to interrupt. Awaited only while an answer is on its way."""
        ...
