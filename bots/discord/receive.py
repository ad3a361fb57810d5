"""What the gateway tells, handed in.

Discord acknowledges nothing and repeats only while a session can be resumed. So a cursor per channel says up
to which message all is committed (`cursors.py`), and what was told to nobody is read from the histories
(`gaps.py`). That a message is taken once is left to its dedupe key. The queue is bounded: when the store is
away, the gateway is not read from, and soon hung up on, and repeats later.
https://docs.discord.com/developers/events/gateway#resuming
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bots.backoff import backoff
from bots.discord import commands
from bots.discord.cursors import Progress, Step
from bots.discord.gaps import UNREADABLE, Fetched, Gaps
from bots.discord.gateway import Gateway
from bots.discord.ids import interaction_of
from bots.discord.translate import (
    is_direct,
    translate,
    translate_command,
    translate_deletions,
    translate_edit,
)
from bots.discord.wire import Line
from core.errors import StoreUnavailable
from core.messages import Account, Identity, InboundMessage
from core.points import reach
from core.ports import Accept, Cursors

log = logging.getLogger(__name__)

BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds: pauses while the store is away, from and to; how long a command may wait for it, of the three
    in which Discord wants to hear, and how long the gateway; between two looks whether cursors have moved,
    between two looks through all histories, and between two calls for that. `room` is how many events may
    wait for the store."""

    error: tuple[float, float] = (0.5, 30.0)
    command: float = 2.0
    store: float = 30.0
    cursors: float = 3.0
    look: float = 600.0
    fetch: float = 0.125
    room: int = 1000


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
        fetched: Fetched,
    ) -> None:
        """`names` are the commands that may be said as `!name` without a mention."""
        self._line, self._me, self._account, self._accept = line, me, account, accept
        self._names, self._patience = names, patience
        self._gateway = Gateway(line, self._heard)
        self._progress = Progress(stored)
        self._queue: asyncio.Queue[Step] = asyncio.Queue(patience.room)
        self._gaps = Gaps(
            line,
            self._progress,
            read=self._step,
            commit=self._commit_page,
            put=self._queue.put,
            fetched=fetched,
            error=patience.error,
            look=patience.look,
            pace=patience.fetch,
            room=patience.room,
        )
        self._store_fails = False
        self._commands: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled. Raises `ChannelError` or `StoreError`."""
        await self._progress.read()
        tasks = [
            asyncio.create_task(self._gateway.listen(), name="discord gateway"),
            asyncio.create_task(self._hand_in(), name="discord inbox"),
            asyncio.create_task(self._gaps.fill(), name="discord histories"),
            asyncio.create_task(self._gaps.look_around(), name="discord look"),
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
        except UNREADABLE as error:
            log.error("a Discord event %s cannot be read: %s", name, type(error).__name__)

    async def _take(self, name: str, data: dict[str, Any]) -> None:
        match name:
            case "READY":
                self._gaps.open()
            case "MESSAGE_CREATE":
                await self._put(self._step(data, direct=is_direct(data)))
            case "MESSAGE_UPDATE":
                direct = is_direct(data)
                message = translate_edit(data, self._me, self._account, direct=direct, commands=self._names)
                if message is not None:
                    await self._put(_change(message))
            case "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK":
                for message in translate_deletions(data, self._account):
                    await self._put(_change(message))
            case "INTERACTION_CREATE" if (message := translate_command(data, self._account)) is not None:
                task = asyncio.create_task(self._obey(message, int(data["id"])), name="discord command")
                self._commands.add(task)
                task.add_done_callback(self._commands.discard)

    def _step(self, message: Mapping[str, Any], *, direct: bool) -> Step:
        said = translate(message, self._me, self._account, direct=direct, commands=self._names)
        return Step(chat=str(message["channel_id"]), id=int(message["id"]), direct=direct, message=said)

    async def _put(self, step: Step) -> None:
        if await self._gaps.hold(step):
            return
        self._hang_up_when_full()
        await self._queue.put(step)

    def _hang_up_when_full(self) -> None:
        if self._queue.full() and self._store_fails:
            self._gateway.hang_up()

    async def _hand_in(self) -> None:
        while True:
            steps = [await self._queue.get()]
            while len(steps) < BATCH and not self._queue.empty():
                steps.append(self._queue.get_nowait())
            await self._progress.open(steps)
            await self._store(self._wanted(steps))
            self._move(steps)

    async def _commit_page(self, steps: Sequence[Step]) -> None:
        await self._store(self._wanted(steps))
        reach("I5")
        self._move(steps)

    def _wanted(self, steps: Sequence[Step]) -> list[InboundMessage]:
        """Nobody asks about changes in channels where nobody ever asked."""
        knows = self._progress.knows
        return [
            step.message
            for step in steps
            if step.message is not None and (step.is_question or knows(step.chat))
        ]

    def _move(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._progress.move(step)

    async def _store(self, messages: Sequence[InboundMessage]) -> None:
        """However long the store is away; the gateway does not wait that long."""
        failures = 0
        with self._hanging_up():
            while messages:
                try:
                    await self._accept(messages)
                    break
                except StoreUnavailable as error:
                    failures += 1
                    self._store_fails = True
                    self._hang_up_when_full()
                    log.warning("%d Discord messages wait: %s", len(messages), error)
                    await asyncio.sleep(backoff(failures, self._patience.error))
        if messages:
            self._store_fails = False
            self._gateway.call_again()

    @contextmanager
    def _hanging_up(self) -> Iterator[None]:
        """Whether the store says that it is away, or nothing at all."""
        timer = asyncio.get_running_loop().call_later(self._patience.store, self._gateway.hang_up)
        try:
            yield
        finally:
            timer.cancel()

    async def _obey(self, message: InboundMessage, id: int) -> None:
        """A command: stored, then acknowledged, both within Discord's three seconds. No history tells of it.
        Who dies before the commit leaves it to Discord to say that nobody answered; who dies after it leaves
        an answer that acknowledges by itself, or comes as a message (`send`). What the store does not take
        in time may be taken later all the same, so the person is told what holds either way."""
        asked = interaction_of(message.message_id)
        assert asked is not None
        try:
            async with asyncio.timeout(self._patience.command):
                await self._store([message])
        except TimeoutError:
            await commands.turn_away(self._line, asked)
            return
        name = message.text.removeprefix("/").partition(" ")[0]
        await commands.acknowledge(self._line, asked, name)
        await self._put(Step(chat=message.place.chat, id=id, direct=message.place.direct, opens=True))


def _change(message: InboundMessage) -> Step:
    """In its place among what is told of the channel."""
    return Step(
        chat=message.place.chat, id=int(message.message_id), direct=message.place.direct, message=message
    )
