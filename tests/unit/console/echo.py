"""A small engine for the console: it answers every message with its own words, in order, once.

A message that starts with "slow" streams its answer but ends only when `/stop` came; "silent" gets none;
`parts` are sent apart. It stands for the real engine's side of the ports and knows nothing of the console.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import UUID

from core.errors import ChannelError
from core.messages import Account, InboundMessage, OutboundMessage, Place, Traits

ACCOUNT = Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="console", name="local")


class Channel(Protocol):
    @property
    def traits(self) -> Traits: ...

    async def send(self, message: OutboundMessage) -> str: ...

    async def draft(self, place: Place, text: str) -> None: ...


class Echo:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: asyncio.Queue[InboundMessage] = asyncio.Queue()
        self._stop = asyncio.Event()
        self._running = False
        self.accepted: list[InboundMessage] = []
        self.receipts: list[str] = []
        self.failures: list[ChannelError] = []
        self.streaming = asyncio.Event()

    async def accept(self, messages: Sequence[InboundMessage]) -> None:
        self.accepted += messages
        for message in messages:
            if message.text == "/stop" and self._running:
                self._stop.set()
            else:
                self._waiting.put_nowait(message)

    async def settled(self, account: Account) -> None:
        await self._waiting.join()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator["Echo"]:
        worker = asyncio.create_task(self._work())
        try:
            yield self
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            message = await self._waiting.get()
            self._running = True
            try:
                await self._answer(message)
            except ChannelError as error:
                self.failures.append(error)
            finally:
                self._running = False
                self._stop.clear()
                self._waiting.task_done()

    async def _answer(self, message: InboundMessage) -> None:
        if message.text == "silent":
            return
        text = f"you said: {message.text}"
        if self._channel.traits.streaming == "draft":
            await self._stream(message.place, text)
        self.streaming.set()
        if message.text.startswith("slow"):
            await self._stop.wait()
            text += "\n\n(stopped)"
        key = f"{message.dedupe_key}:1"
        out = OutboundMessage(place=message.place, text=text, key=key)
        self.receipts.append(await self._channel.send(out))

    async def _stream(self, place: Place, text: str) -> None:
        words = text.split(" ")
        for count in range(1, len(words) + 1):
            await self._channel.draft(place, " ".join(words[:count]))
