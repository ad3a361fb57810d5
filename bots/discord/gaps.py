"""What the gateway told to nobody, read from the channels' histories.

A session that begins has no past: then each history is read from its cursor on, and what comes live from
that channel meanwhile waits its turn, though not for ever: a history that cannot be read stays owed, and is
asked for again and again. Beside that all histories are looked through now and then, since a server that
was away tells nothing of it. Five pages of a channel are read at a time, and one day of it at most.
https://docs.discord.com/developers/resources/message#get-channel-messages
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from bots.backoff import backoff
from bots.discord import send
from bots.discord.cursors import Progress, Step
from bots.discord.ids import lowest_id, made_at
from bots.discord.wire import Line
from core.errors import Ambiguous, ChannelError, NotSent, Unauthorized

log = logging.getLogger(__name__)

Commit = Callable[[Sequence[Step]], Awaitable[None]]
Put = Callable[[Step], Awaitable[None]]
Fetched = Callable[[int], None]
"""Told how many messages for the bot a history had that the gateway had not told."""

AT_ONCE = 4
BACK = timedelta(hours=24)
TRIES = 5
"""So often a history is asked for at once; then what came live no longer waits for it."""
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading an event or a message raises that is not as the platform's documentation has it."""


class Read(Protocol):
    """Reads a message of a history, which does not say whether its channel is a direct one."""

    def __call__(self, message: Mapping[str, Any], *, direct: bool) -> Step: ...


@dataclass(slots=True, kw_only=True)
class _Chat:
    """A channel's history. `due_at` is when it is to be read, by the loop's clock; `held` is what came live
    and waits for that, None where nothing has to. A `closed` one is asked for again only when a session
    begins, since refusals are counted."""

    due_at: float | None = None
    under_way: bool = False
    closed: bool = False
    failures: int = 0
    held: list[Step] | None = None


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
        look: float,
        pace: float,
        room: int,
    ) -> None:
        """`commit` takes a page of history, `put` what came live. Seconds: `error` to wait after failures,
        `look` between two looks through all histories, `pace` between two calls. `room` is how much may be
        kept back."""
        self._line, self._progress = line, progress
        self._read, self._commit, self._put, self._fetched = read, commit, put, fetched
        self._error, self._look, self._pace = error, look, pace
        self._chats: dict[str, _Chat] = {}
        self._room = asyncio.Semaphore(room)
        self._wanted = asyncio.Event()
        self._free_at = 0.0

    async def hold(self, step: Step) -> bool:
        """Keep back what comes live from a channel whose history is to be read first; False for all else."""
        if step.chat not in self._chats or self._chats[step.chat].held is None:
            return False
        await self._room.acquire()
        if (held := self._chats[step.chat].held) is None:
            self._room.release()
            return False
        held.append(step)
        return True

    def open(self) -> None:
        """A session without a past has begun."""
        for name in self._progress.chats():
            chat = self._chats.setdefault(name, _Chat())
            chat.closed, chat.failures = False, 0
            chat.held = [] if chat.held is None else chat.held
            self._progress.owe(name)
            self._want(chat)

    async def look_around(self) -> None:
        """Have all histories looked through, again and again. Nobody waits for that."""
        while True:
            await asyncio.sleep(self._look)
            for name in self._progress.chats():
                chat = self._chats.setdefault(name, _Chat())
                if not (chat.closed or chat.under_way) and chat.due_at is None:
                    self._want(chat)

    async def fill(self) -> None:
        """Read what is to be read, some channels at once, for ever."""
        async with asyncio.TaskGroup() as lanes:
            for _ in range(AT_ONCE):
                lanes.create_task(self._work(), name="discord history")

    def _want(self, chat: _Chat, seconds: float = 0.0) -> None:
        chat.due_at = asyncio.get_running_loop().time() + seconds
        self._wanted.set()  # wakes every lane that waits, and none that comes later
        self._wanted.clear()

    async def _work(self) -> None:
        while True:
            name = await self._next()
            chat = self._chats[name]
            chat.due_at, chat.under_way = None, True
            if chat.held is None and chat.failures < TRIES:
                chat.held = []
            try:
                if not await self._fetch(name, chat):
                    await self._let_go(chat)
            finally:
                chat.under_way = False

    async def _next(self) -> str:
        """Wait for one whose time has come: where something is held back, first; never one that is being
        read already."""
        while True:
            now = asyncio.get_running_loop().time()
            times = {
                name: chat.due_at
                for name, chat in self._chats.items()
                if chat.due_at is not None and not chat.under_way
            }
            if due := [name for name, at in times.items() if at <= now]:
                return min(due, key=lambda name: (not self._chats[name].held, times[name]))
            with suppress(TimeoutError):
                async with asyncio.timeout(min(times.values()) - now if times else None):
                    await self._wanted.wait()

    async def _fetch(self, name: str, chat: _Chat) -> bool:
        """Read it, or some of it. Is what came live to wait for more?"""
        has_more = closed = False
        try:
            has_more = await self._read_all(name)
        except (NotSent, Ambiguous, Unauthorized) as error:
            return self._put_off(name, chat, error)
        except ChannelError as error:
            log.info("the history of a Discord channel is closed to us: %s", error)
            closed = True
            self._progress.look(name, self._progress.cursor(name).message)
        if chat.due_at is not None:  # another session has begun meanwhile
            return True
        chat.failures, chat.closed = 0, closed
        if has_more:
            self._want(chat, self._error[1])
        else:
            self._progress.settle(name)
        return False

    def _put_off(self, name: str, chat: _Chat, error: ChannelError) -> bool:
        """Until a later try, of which there is no last one."""
        chat.failures += 1
        if chat.failures < TRIES:
            seconds = backoff(chat.failures, self._error)
            log.warning("the history of a Discord channel waits: %s", error)
        else:
            seconds = backoff(chat.failures - TRIES + 1, (self._error[1], self._look))
            log.error(
                "the history of Discord channel %s cannot be read: messages are missing: %s", name, error
            )
        self._want(chat, max(error.retry_after or 0.0, seconds))
        return chat.failures < TRIES

    async def _read_all(self, name: str) -> bool:
        """Commit what is new in it. Is there more than is read at a time?"""
        cursor, after = self._progress.cursor(name), self._progress.looked_to(name)
        if made_at(after) is not None:
            after = max(after, lowest_id(datetime.now(UTC) - BACK))
        async for page in send.history(self._line, name, after, turn=self._turn):
            told = self._steps(page.messages, cursor.direct)
            if new := [step for step in told if not self._progress.is_taken(step)]:
                await self._commit(new)
            if found := sum(step.is_question for step in new):
                self._fetched(found)
                log.info("%d messages were found in the history of a Discord channel", found)
            self._progress.look(name, page.to)
            if page.is_cut:
                log.warning("Discord channel %s has more than %d messages: the rest follows", name, send.MOST)
                return True
        return False

    def _steps(self, messages: Sequence[Any], direct: bool) -> list[Step]:
        """Without those that nobody can read: they must not hold up the others."""
        steps = []
        for message in messages:
            try:
                steps.append(self._read(message, direct=direct))
            except UNREADABLE as error:
                log.error("a message of a Discord history cannot be read: %s", type(error).__name__)
        return steps

    async def _turn(self) -> None:
        """Keep the calls of all channels apart."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._free_at)
        self._free_at = at + self._pace
        await asyncio.sleep(at - now)

    async def _let_go(self, chat: _Chat) -> None:
        """What came live meanwhile follows."""
        while chat.held:
            await self._put(chat.held.pop(0))
            self._room.release()
        chat.held = None
