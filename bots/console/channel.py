"""The console as a channel: what is read from the terminal is handed in, what the bot says is printed.

There is one account, "local", and one person, the account of the operating system; so a talk goes on
when the program is started again. `streams.py` says what the place to read and print must be able to do,
and the engine says through `attach` when nothing is owed any more.

A print whose receipt was not committed may be repeated ("repeat" in the traits): the repetition can only
come from a new start, where what an earlier run printed may be out of sight; better shown again than lost.
Within one run no key is printed twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from uuid_utils.compat import uuid7

from bots.console.streams import Streams
from bots.console.text import pieces
from core.errors import NotSent, StoreError, Undeliverable
from core.messages import UNTOLD, Account, Identity, InboundMessage, OutboundMessage, Place, Sender, Traits
from core.ports import Accept

Settled = Callable[[Account], Awaitable[None]]
"""Returns when every accepted message of the account is answered, refused or apologised for."""

Order = Callable[[], AbstractAsyncContextManager[None]]

log = logging.getLogger(__name__)

_MAX_TEXT = 100_000
_REMEMBERED = 1_000


class ConsoleChannel:
    """One person's terminal. `pause` is the wait in seconds before a message is handed in again; `order` is
    held from handing in until the answer, where the person may have other terminals."""

    name = "console"

    def __init__(
        self, user: str, streams: Streams, *, pause: float = 1.0, order: Order = contextlib.nullcontext
    ) -> None:
        self._user = user
        self._streams = streams
        self._pause = pause
        self._order = order
        self._settled: Settled | None = None
        self._printed: dict[str, None] = {}
        self._printing = asyncio.Lock()
        self._gone = asyncio.Event()
        self.traits = Traits(
            max_text=_MAX_TEXT,
            streaming=streams.streaming,
            after_ambiguous="repeat",
            edit_seconds=(0.05, 0.05),
        )

    def attach(self, settled: Settled) -> None:
        """Say how to wait until nothing is owed. Must be called before `run`."""
        self._settled = settled

    async def connect(self) -> Identity:
        return Identity(name=f"local:{self._user}", handle="parley")

    async def run(self, account: Account, accept: Accept) -> None:
        """See to the answers still owed, then hand in one message after the other, each when the one before
        is answered. Returns at the end of the input, when the person leaves, or when nobody reads on."""
        talk = asyncio.create_task(self._talk(account, accept))
        gone = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
            if talk.done():
                talk.result()
        finally:
            await _end(talk, gone)

    async def send(self, message: OutboundMessage) -> str:
        """Print and flush. Raises `Undeliverable` when nobody reads any more, `NotSent` for other people."""
        if message.place.chat != self._user:
            raise NotSent("the message is for another person's terminal")
        async with self._printing:
            if message.key not in self._printed:
                self._remember(message.key)
                await self._print(self._streams.say, message.text)
        return message.key

    async def draft(self, place: Place, text: str) -> None:
        if place.chat == self._user and not self._printing.locked():
            async with self._printing:
                await self._print(self._streams.grow, text)

    def split(self, text: str) -> tuple[str, ...]:
        return pieces(text, _MAX_TEXT)

    async def _talk(self, account: Account, accept: Accept) -> None:
        if not await self._see_through(self._wait_for_owed(account), account, accept):
            return
        while (text := await self._streams.read()) is not None:
            asked = self._ask_in_order(self._message(account, text), account, accept)
            if not await self._see_through(asked, account, accept):
                return

    async def _wait_for_owed(self, account: Account) -> None:
        async with self._order():
            await self._settle(account)

    async def _ask_in_order(self, message: InboundMessage, account: Account, accept: Accept) -> None:
        async with self._order():
            await self._ask(message, account, accept)

    async def _see_through(self, work: Coroutine[Any, Any, None], account: Account, accept: Accept) -> bool:
        """Wait for the work. The first interruption asks to stop the answer, the second leaves: False."""
        working: asyncio.Future[Any] = asyncio.ensure_future(work)
        try:
            if await self._interrupted(working):
                stop = self._ask(self._message(account, "/stop"), account, accept)
                working = asyncio.gather(working, stop)
                if await self._interrupted(working):
                    await self._streams.note("Left. What is still owed comes at the next start.")
                    return False
            return True
        finally:
            await _end(working)

    async def _interrupted(self, working: "asyncio.Future[Any]") -> bool:
        """False when the work was done first."""
        stop = asyncio.create_task(self._streams.stop_asked())
        try:
            await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(stop)
        if working.done():
            working.result()
        return not working.done()

    async def _ask(self, message: InboundMessage, account: Account, accept: Accept) -> None:
        await self._hand_in(message, accept)
        await self._settle(account)

    async def _settle(self, account: Account) -> None:
        if self._settled is None:
            raise RuntimeError("attach() was not called: the console cannot know when it is answered")
        await self._settled(account)

    async def _hand_in(self, message: InboundMessage, accept: Accept) -> None:
        """Nobody else would deliver the line again, so it is repeated here until it is stored or refused."""
        told = False
        while True:
            try:
                return await accept([message])
            except StoreError as error:
                log.warning("console: a message could not be stored: %s", error)
                if not error.retriable:
                    return await self._streams.note(error.public)
                if not told:
                    await self._streams.note("I cannot reach my memory just now. I keep trying.")
                told = True
                await asyncio.sleep(self._pause)

    def _message(self, account: Account, text: str) -> InboundMessage:
        number = uuid7().hex
        return InboundMessage(
            place=Place(account_id=account.id, channel=self.name, chat=self._user),
            sender=Sender(id=self._user, name=self._user),
            text=text,
            dedupe_key=number,
            message_id=number,
            sent_at=UNTOLD,
        )

    async def _print(self, show: Callable[[str], Awaitable[None]], text: str) -> None:
        if self._gone.is_set():
            raise Undeliverable("nobody reads the console any more")
        try:
            await show(text)
        except OSError as error:
            self._gone.set()
            raise Undeliverable(f"nobody reads the console any more: {error.strerror}") from error

    def _remember(self, key: str) -> None:
        self._printed[key] = None
        if len(self._printed) > _REMEMBERED:
            del self._printed[next(iter(self._printed))]


async def _end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel what still runs and wait until it ended; what it ended with is of no interest any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
