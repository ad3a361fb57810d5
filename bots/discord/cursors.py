"""How far each channel was read: the cursors of one account, as stored, and how they moved since.

A cursor says up to which message all that was meant for the bot is committed, and so from where a history
must be read after a gap. What is read again is known by its dedupe key, so cursors may lag. While a gap is
owed, what is stored stays before it, however far the channel has gone on since: whoever starts next must
begin there.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bots.discord.ids import Cursor, made_at, read_cursor
from core.errors import StoreError
from core.messages import InboundMessage
from core.points import reach
from core.ports import Cursors

log = logging.getLogger(__name__)

KNOWN_FOR = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What was told of a channel, in its order. `message` is None for one that is not for the bot, and which
    only moves the cursor; `opens` when the channel is to have one from now on."""

    chat: str
    id: int
    direct: bool
    message: InboundMessage | None = None
    opens: bool = False

    @property
    def is_change(self) -> bool:
        return self.message is not None and self.message.change is not None

    @property
    def is_question(self) -> bool:
        return self.message is not None and self.message.change is None


class Progress:
    """The cursors, and up to where each history was looked through by this run."""

    def __init__(self, stored: Cursors | None) -> None:
        self._stored = stored
        self._known: dict[str, Cursor] = {}
        self._moved: dict[str, str] = {}
        self._opened = asyncio.Event()
        self._taken: dict[str, set[int]] = {}
        self._looked: dict[str, int] = {}
        self._owed: dict[str, Cursor] = {}

    async def read(self) -> None:
        """Once, before all else; what is older than a month is forgotten. Raises `StoreError`."""
        oldest = datetime.now(UTC) - KNOWN_FOR
        for chat, told in (await self._stored.read() if self._stored else {}).items():
            cursor = read_cursor(told)
            if cursor is not None and chat.isdecimal() and (made_at(cursor.message) or oldest) >= oldest:
                self._begin(chat, cursor)

    def chats(self) -> Mapping[str, Cursor]:
        return dict(self._known)

    def cursor(self, chat: str) -> Cursor:
        return self._known[chat]

    def knows(self, chat: str) -> bool:
        """Was anything of this channel ever taken?"""
        return chat in self._known

    def is_taken(self, step: Step) -> bool:
        """Was this very message committed since the channel's history was looked through?"""
        return step.id in self._taken.get(step.chat, ())

    def looked_to(self, chat: str) -> int:
        """Up to which message the history was looked through; it may be behind the cursor."""
        return self._looked.get(chat, 0)

    def look(self, chat: str, id: int) -> None:
        """The history was looked through up to here."""
        self._looked[chat] = max(id, self._looked.get(chat, 0))
        self._taken[chat] = {taken for taken in self._taken.get(chat, ()) if taken > id}
        owed = self._owed.get(chat)
        if owed is not None and id > owed.message:
            self._owed[chat] = replace(owed, message=id)
            self._moved[chat] = str(self._owed[chat])

    def owe(self, chat: str) -> None:
        """A gap begins where the channel is now, or has begun before and is not read yet."""
        self._owed.setdefault(chat, self._known[chat])

    def settle(self, chat: str) -> None:
        """Its gap is read, or never will be."""
        owed, known = self._owed.pop(chat, None), self._known[chat]
        if owed is not None and known.message > owed.message:
            self._moved[chat] = str(known)

    async def open(self, steps: Sequence[Step]) -> None:
        """Store where new chats begin, before anything of theirs is handed in: after a sudden end nobody else
        could tell which histories to read."""
        new = [step for step in steps if step.is_question and step.chat not in self._known]
        for step in reversed(new):
            self._begin(step.chat, Cursor(message=step.id - 1, direct=step.direct))
            self._moved[step.chat] = str(self._known[step.chat])
        if new:
            await self.save()

    def move(self, step: Step) -> None:
        if step.is_change:
            return
        known = self._known.get(step.chat)
        if known is None and not (step.message or step.opens):
            return
        if step.message is not None:
            self._taken.setdefault(step.chat, set()).add(step.id)
        cursor = Cursor(message=step.id, direct=step.direct)
        if known is None:
            self._begin(step.chat, cursor)
            self._opened.set()
        elif step.id <= known.message:
            return
        self._known[step.chat] = cursor
        if step.chat not in self._owed:
            self._moved[step.chat] = str(cursor)

    async def save(self) -> None:
        """Lazily: what is read again is known by its dedupe key."""
        moved, self._moved = self._moved, {}
        if not moved or self._stored is None:
            return
        try:
            await self._stored.move(moved)
        except StoreError as error:
            self._moved = {**moved, **self._moved}
            log.warning("Discord's cursors wait to be stored: %s", error)
        else:
            reach("I4")

    async def save_for_ever(self, seconds: float) -> None:
        """A channel that is new at once: without a cursor nobody would look there again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._opened.wait()
            self._opened.clear()
            await self.save()

    def _begin(self, chat: str, cursor: Cursor) -> None:
        self._known[chat] = cursor
        self._looked.setdefault(chat, cursor.message)
