"""What the gateway told to nobody, read from the channels' histories.

A session that begins has no past: then each history is read from its cursor on, and what comes live from
that channel meanwhile waits its turn. Beside that all histories are looked through now and then, since a
server that was away tells nothing of it. Five pages and one day of a channel are read at most, and that there
was more is said.
https://docs.discord.com/developers/resources/message#get-channel-messages
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from bots.backoff import backoff
from bots.discord import send
from bots.discord.cursors import Progress, Step
from bots.discord.ids import lowest_id, made_at
from bots.discord.wire import Line
from core.errors import Ambiguous, ChannelError, NotSent

log = logging.getLogger(__name__)

Commit = Callable[[Sequence[Step]], Awaitable[None]]
Put = Callable[[Step], Awaitable[None]]
Fetched = Callable[[int], None]
"""Told how many messages for the bot a history had that the gateway had not told."""

AT_ONCE = 4
BACK = timedelta(hours=24)
TRIES = 5


class Read(Protocol):
    """Reads a message of a history, which does not say whether its channel is a direct one."""

    def __call__(self, message: Mapping[str, Any], *, direct: bool) -> Step: ...


class Gaps:
    """The histories of one account that are to be read, and what waits until they are."""

    def __init__(
        self,
        line: Line,
        progress: Progress,
        *,
        read: Read,
        commit: Commit,
        put: Put,
        fetched: Fetched,
        error: tuple[float, float],
        pace: float,
        room: int,
    ) -> None:
        """`commit` takes a page of history, `put` what came live; `error` are the seconds to wait after
        failures, `pace` those between two calls; `room` is how much may be kept back."""
        self._line, self._progress = line, progress
        self._read, self._commit, self._put, self._fetched = read, commit, put, fetched
        self._error, self._pace = error, pace
        self._due: dict[str, None] = {}  # in order
        self._under_way: set[str] = set()
        self._held: dict[str, list[Step]] = {}
        self._closed: set[str] = set()  # asked again only when a session begins: refusals are counted
        self._room = asyncio.Semaphore(room)
        self._wanted = asyncio.Event()
        self._free_at = 0.0

    async def hold(self, step: Step) -> bool:
        """Keep back what comes live from a channel whose history is to be read first; False for all else."""
        if step.chat not in self._held:
            return False
        await self._room.acquire()
        if (held := self._held.get(step.chat)) is None:
            self._room.release()
            return False
        held.append(step)
        return True

    def open(self) -> None:
        """A session without a past has begun."""
        self._closed.clear()
        for chat in self._progress.chats():
            self._due[chat] = None
            self._held.setdefault(chat, [])
        self._wanted.set()

    async def look_around(self, seconds: float) -> None:
        """Have all histories looked through, again and again. Nobody waits for that."""
        while True:
            await asyncio.sleep(seconds)
            left_out = self._closed | self._under_way
            self._due |= dict.fromkeys(chat for chat in self._progress.chats() if chat not in left_out)
            self._wanted.set()

    async def fill(self) -> None:
        """Read what is to be read, some channels at once, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            async with asyncio.TaskGroup() as lanes:
                for _ in range(AT_ONCE):
                    lanes.create_task(self._work(), name="discord history")

    async def _work(self) -> None:
        while (chat := self._next()) is not None:
            del self._due[chat]
            self._under_way.add(chat)
            self._held.setdefault(chat, [])
            try:
                await self._fetch(chat)
                if chat not in self._due:
                    await self._let_go(chat)
            finally:
                self._under_way.discard(chat)

    def _next(self) -> str | None:
        """Where something waits, first; never a channel that is being read already."""
        free = [chat for chat in self._due if chat not in self._under_way]
        return next((chat for chat in free if self._held.get(chat)), next(iter(free), None))

    async def _fetch(self, chat: str) -> None:
        for failures in range(1, TRIES + 1):
            try:
                return await self._read_all(chat)
            except (NotSent, Ambiguous) as error:
                log.warning("the history of a Discord channel waits: %s", error)
                await asyncio.sleep(max(error.retry_after or 0.0, backoff(failures, self._error)))
            except (ChannelError, KeyError, TypeError, ValueError) as error:
                log.info("the history of a Discord channel is closed to us: %s", error)
                self._closed.add(chat)
                self._progress.look(chat, self._progress.chats()[chat].message)
                return
        log.error("the history of Discord channel %s could not be read: messages there may be missing", chat)

    async def _read_all(self, chat: str) -> None:
        count, direct, after = 0, self._progress.chats()[chat].direct, self._progress.looked_to(chat)
        if made_at(after) is not None:
            after = max(after, lowest_id(datetime.now(UTC) - BACK))
        async for page in send.history(self._line, chat, after, turn=self._turn):
            steps = [self._read(each, direct=direct) for each in page]
            new = [step for step in steps if not self._progress.is_taken(step)]
            await self._commit(new)
            if found := sum(step.is_question for step in new):
                self._fetched(found)
                log.info("%d messages were found in the history of a Discord channel", found)
            self._progress.look(chat, steps[-1].id)
            count += len(page)
        if count >= send.PAGE * send.PAGES:
            log.warning(
                "Discord channel %s has more than the %d messages that are read at once: what comes after may"
                " be missing",
                chat,
                count,
            )

    async def _turn(self) -> None:
        """Keep the calls of all channels apart."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._free_at)
        self._free_at = at + self._pace
        await asyncio.sleep(at - now)

    async def _let_go(self, chat: str) -> None:
        """What came live meanwhile follows."""
        held = self._held[chat]
        while held:
            await self._put(held.pop(0))
            self._room.release()
        del self._held[chat]
