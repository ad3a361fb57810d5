"""A channel that receives while a test goes on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from bots.discord.adapter import DiscordChannel
from bots.discord.receive import Patience
from bots.discord.wire import Pace
from bots.simulators.discord import DiscordSimulator
from core.messages import Account, CommandOffer, Identity, Place
from core.ports import Accept

TOKEN = "a.simulated.token"
HASTE = Pace(answer=5.0, identify=0.0, error=(0.01, 0.02), tries=5)
HURRY = Patience(error=(0.01, 0.02), command=0.3, cursors=0.02, fetch=0.0)
OFFERS = (
    CommandOffer(name="ask", summary="ask me something", argument="question"),
    CommandOffer(name="help", summary="this list"),
    CommandOffer(name="stop", summary="stop the answer"),
)


class Shelf:
    """Cursors as the store keeps them."""

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self.known = dict(known or {})

    async def read(self) -> Mapping[str, str]:
        return dict(self.known)

    async def move(self, moves: Mapping[str, str]) -> None:
        self.known |= moves


def channel_at(sim: DiscordSimulator, token: str = TOKEN, **options: Any) -> DiscordChannel:
    options = {"pace": HASTE, "patience": HURRY, **options}
    return DiscordChannel(token, sim.api_url, sim.gateway_url, **options)


def account_of(name: str) -> Account:
    return Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="discord", name=name)


def place_in(sim: DiscordSimulator, chat: str, *, direct: bool = True) -> Place:
    return Place(account_id=UUID(int=1), channel="discord", chat=sim.chat_id(chat), direct=direct)


@asynccontextmanager
async def running(channel: DiscordChannel, sim: DiscordSimulator, accept: Accept) -> AsyncIterator[Identity]:
    """Connect, receive, and stop as a gateway stops: by cancelling."""
    identity = await channel.connect()
    await channel.offer_commands(OFFERS)
    task = asyncio.create_task(channel.run(account_of(identity.name), accept))
    try:
        await sim.wait_for(lambda messages: sim.connected or task.done())
        yield identity
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
