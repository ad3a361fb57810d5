"""Stands where the core accepts messages: keeps what was committed, and is away when told so."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from core.errors import StoreUnavailable
from core.messages import Account, InboundMessage

ACCOUNT = Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="slack", name="T0SIMULATED:U0SIMBOT0")


class Inbox:
    """An `Accept`: `tries` are all that were handed in, `committed` what was taken, once a key."""

    def __init__(self) -> None:
        self.tries: list[InboundMessage] = []
        self.committed: dict[str, InboundMessage] = {}
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self._changed = asyncio.Event()

    async def __call__(self, messages: Sequence[InboundMessage]) -> None:
        self.tries += messages
        self._tell()
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable("the store is away")
        for message in messages:
            self.committed.setdefault(message.dedupe_key, message)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def messages(self) -> list[InboundMessage]:
        return list(self.committed.values())

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    async def until(self, reached: Callable[["Inbox"], bool]) -> None:
        async with asyncio.timeout(10):
            while not reached(self):
                await self._changed.wait()
