"""What each user would see: every message in the order it appeared, with all its versions and times.

A checker reads it to count visible answers. It knows no platform: ids and chats are the strings or numbers
that the simulator gives it, texts are what the eye sees after markup was taken away.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bots.simulators.changes import Changes

BOT = "bot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A text as it stood from `at` (seconds since the epoch) until the next version."""

    text: str
    at: float
    entities: tuple[dict[str, Any], ...] = ()


@dataclass(slots=True, kw_only=True)
class Seen:
    """A message as its readers see it: the newest version counts, the older ones are kept."""

    id: int | str
    chat: str
    author: str
    versions: list[Version]
    extra: dict[str, Any] = field(default_factory=dict)
    deleted_at: float | None = None

    @property
    def text(self) -> str:
        return self.versions[-1].text

    @property
    def edits(self) -> int:
        return len(self.versions) - 1

    @property
    def by_bot(self) -> bool:
        return self.author == BOT

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `GET /_sim/seen`."""
        return {
            "id": self.id,
            "chat": self.chat,
            "author": self.author,
            "text": self.text,
            "edits": self.edits,
            "entities": list(self.versions[-1].entities),
            "history": [{"text": version.text, "at": version.at} for version in self.versions],
            "deleted": self.deleted_at is not None,
            **self.extra,
        }


class Ledger:
    """All messages that appeared, and a way to wait for the next change without sleeping."""

    def __init__(self) -> None:
        self._messages: list[Seen] = []
        self._changes = Changes()
        self._handed_out: set[int] = set()

    def add(self, message: Seen) -> None:
        self._messages.append(message)
        self.announce()

    def edit(self, message: Seen, version: Version) -> None:
        message.versions.append(version)
        self.announce()

    def delete(self, message: Seen, at: float) -> None:
        message.deleted_at = at
        self.announce()

    def announce(self) -> None:
        """Wake everyone who waits, so that they look again."""
        self._changes.announce()

    @property
    def last(self) -> Seen:
        """What appeared last; raises IndexError where nothing ever did."""
        return self._messages[-1]

    def messages(self, chats: Iterable[str] | None = None, *, deleted: bool = False) -> list[Seen]:
        """Return the messages in the order seen, of some chats or of all; deleted ones only when asked."""
        wanted = None if chats is None else set(chats)
        return [
            message
            for message in self._messages
            if (wanted is None or message.chat in wanted) and (deleted or message.deleted_at is None)
        ]

    async def wait_until(self, reached: Callable[[], Any], timeout: float) -> Any:
        """Return the first true value of `reached`, looked at after each change.

        Raises TimeoutError with the last messages in it after `timeout` seconds.
        """
        return await self._changes.wait_until(reached, timeout, self._last_lines)

    def _last_lines(self) -> str:
        last = [f"{seen.chat} {seen.author}: {seen.text[:80]!r}" for seen in self._messages[-10:]]
        return f"the last messages: {last}"

    async def next_answer(
        self, chat: str | None, where: Callable[[Seen], object] | None, timeout: float
    ) -> Seen:
        """Return the next message of the bot in a chat that this call has not returned before.

        With `where`, messages for which it is false are waited for (a streamed answer grows by edits).
        """

        def fresh() -> Seen | None:
            for index, message in enumerate(self._messages):
                if index in self._handed_out or not message.by_bot or message.deleted_at is not None:
                    continue
                if chat in (None, message.chat) and (where is None or where(message)):
                    self._handed_out.add(index)
                    return message
            return None

        answer: Seen = await self.wait_until(fresh, timeout)
        return answer
