"""What the gateway tells, handed in; and what it told to nobody, fetched.

Discord acknowledges nothing and repeats only while a session can be resumed. So a cursor per channel says up
to which message all is committed, and whenever a new session begins, the history after each cursor is read.
What comes live from a channel meanwhile waits its turn; that a message is taken once is left to its dedupe
key. The queue is bounded: when the store is away, the gateway is not read from, and repeats later.
https://docs.discord.com/developers/events/gateway#resuming
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bots.discord import commands, send
from bots.discord.gateway import Gateway, backoff
from bots.discord.ids import Cursor, interaction_of, lowest_id, made_at, read_cursor
from bots.discord.translate import is_direct, translate, translate_command
from bots.discord.wire import Line
from core.errors import Ambiguous, ChannelError, NotSent, StoreError, StoreUnavailable
from core.messages import Account, Identity, InboundMessage
from core.ports import Accept, Cursors

log = logging.getLogger(__name__)

WAITING = 1000
BATCH = 100
AT_ONCE = 4
KNOWN_FOR = timedelta(days=30)
BACK = timedelta(hours=24)
FETCH_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: pauses while the store is away, from and to; how long a command may wait for it; and between
    two looks whether cursors have moved."""

    error: tuple[float, float] = (0.5, 30.0)
    command: float = 10.0
    cursors: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A message of a channel, in its order. `message` is None for one that is not for the bot, and which only
    moves the cursor; `opens` when the channel is to have one from now on."""

    chat: str
    id: int
    direct: bool
    message: InboundMessage | None = None
    opens: bool = False


class Progress:
    """The cursors of one account: as stored, and how they moved since."""

    def __init__(self, stored: Cursors | None) -> None:
        self._stored = stored
        self._known: dict[str, Cursor] = {}
        self._moved: dict[str, str] = {}
        self._opened = asyncio.Event()

    async def read(self) -> None:
        """Once, before all else; what is older than a month is forgotten. Raises `StoreError`."""
        oldest = datetime.now(UTC) - KNOWN_FOR
        for chat, told in (await self._stored.read() if self._stored else {}).items():
            cursor = read_cursor(told)
            if cursor is not None and chat.isdecimal() and (made_at(cursor.message) or oldest) >= oldest:
                self._known[chat] = cursor

    def chats(self) -> Mapping[str, Cursor]:
        return dict(self._known)

    async def open(self, steps: Sequence[Step]) -> None:
        """Store where new chats begin, before anything of theirs is handed in: after a sudden end nobody else
        could tell which histories to read."""
        new = [step for step in steps if step.message is not None and step.chat not in self._known]
        for step in reversed(new):
            self._known[step.chat] = Cursor(message=step.id - 1, direct=step.direct)
            self._moved[step.chat] = str(self._known[step.chat])
        if new:
            await self.save()

    def move(self, step: Step) -> None:
        known = self._known.get(step.chat)
        if known is None and not (step.message or step.opens):
            return
        if known is None or step.id > known.message:
            self._known[step.chat] = Cursor(message=step.id, direct=step.direct)
            self._moved[step.chat] = str(self._known[step.chat])
            if known is None:
                self._opened.set()

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

    async def save_for_ever(self, seconds: float) -> None:
        """A channel that is new at once: without a cursor nobody would look there again."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._opened.wait()
            self._opened.clear()
            await self.save()


class Receiver:
    """One run of the gateway, for one account."""

    def __init__(
        self,
        line: Line,
        me: Identity,
        account: Account,
        accept: Accept,
        *,
        stored: Cursors | None,
        names: Set[str],
        patience: Patience,
    ) -> None:
        """`names` are the commands that may be said as `!name` without a mention."""
        self._line, self._me, self._account, self._accept = line, me, account, accept
        self._names, self._patience = names, patience
        self._progress = Progress(stored)
        self._queue: asyncio.Queue[Step] = asyncio.Queue(WAITING)
        self._gaps: dict[str, Cursor] = {}
        self._gapped = asyncio.Event()
        self._held: dict[str, list[Step]] = {}
        self._commands: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled. Raises `ChannelError` or `StoreError`."""
        await self._progress.read()
        tasks = [
            asyncio.create_task(Gateway(self._line, self._heard).listen(), name="discord gateway"),
            asyncio.create_task(self._hand_in(), name="discord inbox"),
            asyncio.create_task(self._catch_up(), name="discord history"),
            asyncio.create_task(self._progress.save_for_ever(self._patience.cursors), name="discord cursors"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            running = [*tasks, *self._commands]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await self._progress.save()

    async def _heard(self, name: str, data: dict[str, Any]) -> None:
        """One event; what cannot be read must not hold up the others."""
        try:
            await self._take(name, data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.error("a Discord event %s cannot be read: %s", name, type(error).__name__)

    async def _take(self, name: str, data: dict[str, Any]) -> None:
        match name:
            case "READY":
                self._mind_the_gap()
            case "MESSAGE_CREATE":
                await self._put(self._step(data, direct=is_direct(data)))
            case "INTERACTION_CREATE" if (message := translate_command(data, self._account)) is not None:
                task = asyncio.create_task(self._obey(message, int(data["id"])), name="discord command")
                self._commands.add(task)
                task.add_done_callback(self._commands.discard)

    def _step(self, data: Mapping[str, Any], *, direct: bool) -> Step:
        message = translate(data, self._me, self._account, direct=direct, commands=self._names)
        return Step(chat=str(data["channel_id"]), id=int(data["id"]), direct=direct, message=message)

    async def _put(self, step: Step) -> None:
        if (held := self._held.get(step.chat)) is not None:
            held.append(step)
        else:
            await self._queue.put(step)

    async def _hand_in(self) -> None:
        while True:
            steps = [await self._queue.get()]
            while len(steps) < BATCH and not self._queue.empty():
                steps.append(self._queue.get_nowait())
            await self._commit(steps)

    async def _commit(self, steps: Sequence[Step]) -> None:
        """Then the cursors move."""
        await self._progress.open(steps)
        await self._store([step.message for step in steps if step.message is not None])
        for step in steps:
            self._progress.move(step)

    async def _store(self, messages: Sequence[InboundMessage]) -> None:
        """However long the store is away."""
        failures = 0
        while messages:
            try:
                return await self._accept(messages)
            except StoreUnavailable as error:
                failures += 1
                log.warning("%d Discord messages wait: %s", len(messages), error)
                await asyncio.sleep(backoff(failures, self._patience.error))

    async def _obey(self, message: InboundMessage, id: int) -> None:
        """A command: Discord wants to hear within three seconds, so first of all it is told to wait. No
        history tells of an interaction: if it cannot be stored, the person must know."""
        asked = interaction_of(message.message_id)
        assert asked is not None
        name = message.text.removeprefix("/").partition(" ")[0]
        if not await commands.acknowledge(self._line, asked, name):
            message = replace(message, message_id="", extra={"asker": message.extra["asker"]})
        try:
            async with asyncio.timeout(self._patience.command):
                await self._store([message])
        except TimeoutError:
            with suppress(ChannelError):
                await send.react(self._line, message.place, str(asked), StoreUnavailable.public)
            return
        await self._put(Step(chat=message.place.chat, id=id, direct=message.place.direct, opens=True))

    def _mind_the_gap(self) -> None:
        """A session without a past: whatever was told to nobody is in the channels' histories."""
        for chat, cursor in self._progress.chats().items():
            self._gaps.setdefault(chat, cursor)
            self._held.setdefault(chat, [])
        self._gapped.set()

    async def _catch_up(self) -> None:
        """Fill the gaps, some channels at once, whenever there are any."""
        lanes = asyncio.Semaphore(AT_ONCE)

        async def one(chat: str, cursor: Cursor) -> None:
            async with lanes:
                await self._fetch(chat, cursor)
                await self._let_go(chat)

        while True:
            await self._gapped.wait()
            self._gapped.clear()
            gaps, self._gaps = self._gaps, {}
            for chat in gaps:
                self._held.setdefault(chat, [])
            async with asyncio.TaskGroup() as group:
                for chat, cursor in gaps.items():
                    group.create_task(one(chat, cursor))

    async def _fetch(self, chat: str, cursor: Cursor) -> None:
        """What was said in a channel after its cursor, at most a day back."""
        after = cursor.message
        if made_at(after) is not None:
            after = max(after, lowest_id(datetime.now(UTC) - BACK))
        for failures in range(1, FETCH_TRIES + 1):
            try:
                async for page in send.history(self._line, chat, after):
                    await self._commit([self._step(each, direct=cursor.direct) for each in page])
                    after = int(page[-1]["id"])
                return
            except (NotSent, Ambiguous) as error:
                log.warning("the history of a Discord channel waits: %s", error)
                await asyncio.sleep(max(error.retry_after or 0.0, backoff(failures, self._patience.error)))
            except (ChannelError, KeyError, TypeError, ValueError) as error:
                log.info("the history of a Discord channel is closed to us: %s", error)
                return

    async def _let_go(self, chat: str) -> None:
        """What came live meanwhile follows."""
        held = self._held[chat]
        while held:
            await self._queue.put(held.pop(0))
        del self._held[chat]
