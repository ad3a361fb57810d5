"""How people speak on any platform of a trial, and how what they said and saw is told.

Ids are given as the channel's own folder makes them, so that what was said, what was accepted and what is
shown can be laid side by side.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from bots.simulators.ledger import Seen
from bots.torture.evidence import THINKING, Said, Shown
from bots.torture.plan import Speech

BOT = "parley_bot"
ENDLESS = 1_000_000
EDIT_SECONDS = "0.2"


class Platform(Protocol):
    """What a trial wants of one."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What an operator would set to reach it."""
        ...

    def stand_behind(self, url: str) -> None:
        """Let instances come by this address from now on: a proxy's."""
        ...

    def listeners(self) -> int:
        """How many instances would hear what is said now."""
        ...

    def redeliver(self, percent: float, seed: int) -> None:
        """From now on tell so many of all events twice."""
        ...

    def say(self, speech: Speech) -> Said: ...

    def edit(self, speech: Speech, said: Said) -> None:
        """Let its author give it its new text."""
        ...

    def delete(self, speech: Speech, said: Said) -> None:
        """Let its author delete it."""
        ...

    def heard(self, said: Said) -> Said:
        """The same, with when it was brought to the gateway, as far as the platform keeps no order itself."""
        ...

    def shown(self) -> list[Shown]:
        """What the bot shows now, in the order it appeared."""
        ...

    async def delivered(self) -> None:
        """Return when nothing that was said is still on its way."""
        ...


def to_bot(speech: Speech, text: str) -> str:
    """As it is typed where the bot has to be named."""
    return text if speech.direct else f"@{BOT} {text}"


def said_by(speech: Speech, seen: Seen, *, chat: str | None = None, thread: str = "") -> Said:
    return Said(
        number=speech.number,
        channel=speech.channel,
        user=str(seen.extra["author_id"]),
        chat=chat or str(seen.extra["chat_id"]),
        thread=thread,
        message_id=str(seen.id),
        begun=speech.number,
        taken=speech.number,
    )


def shown_by(channel: str, seen: Seen, *, chat: str | None = None, thread: str = "") -> Shown:
    quoted: Any = seen.extra.get("reply_to")
    return Shown(
        channel=channel,
        chat=chat or str(seen.extra["chat_id"]),
        thread=thread,
        id=str(seen.id),
        text=THINKING if seen.extra.get("loading") else seen.text,
        reply_to=str(quoted) if quoted else None,
    )
