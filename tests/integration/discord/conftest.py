"""A simulated Discord, the channel on it, and a store that may be away."""

from collections.abc import AsyncIterator

import pytest

from bots.discord.adapter import DiscordChannel
from bots.simulators.discord import DiscordSimulator
from tests.integration.discord.running import TOKEN, channel_at
from tests.integration.telegram.inbox import Inbox


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSimulator]:
    async with DiscordSimulator(token=TOKEN) as simulator:
        yield simulator


@pytest.fixture
async def channel(sim: DiscordSimulator) -> AsyncIterator[DiscordChannel]:
    channel = channel_at(sim)
    yield channel
    await channel.close()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()
