"""Stands where the core accepts messages: keeps what was committed, and is away when told so."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from core.errors import StoreUnavailable
from core.messages import Account, InboundMessage

ACCOUNT = Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="telegram", name="700001")


class Inbox:
    """An `Accept`: `batches` are all that were handed in, `committed` the messages that were taken."""

    def __init__(self) -> None:
        self.batches: list[list[InboundMessage]] = []
        self.committed: list[InboundMessage] = []
        self.away = False
        self._changed = asyncio.Event()

    async def __call__(self, messages: Sequence[InboundMessage]) -> None:
        self.batches.append(list(messages))
        if not self.away:
            self.committed += messages
        self._changed.set()
        self._changed = asyncio.Event()
        if self.away:
            raise StoreUnavailable("the store is away")

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.committed]

    async def until(self, reached: Callable[["Inbox"], bool]) -> None:
        async with asyncio.timeout(10):
            while not reached(self):
                await self._changed.wait()
