"""A simulated Telegram, one told what to say, and the channel on each."""

from collections.abc import AsyncIterator

import pytest

from bots.simulators.telegram import TelegramSimulator
from bots.telegram.adapter import TelegramChannel
from bots.telegram.receive import Patience
from tests.integration.telegram.bare import BareApi
from tests.integration.telegram.inbox import Inbox

TOKEN = "700001:AAsecret-token_of-35-characters-xyz"
HASTE = Patience(idle=(0.01, 0.02), error=(0.01, 0.02), conflict=(0.01, 0.02))


@pytest.fixture
async def sim() -> AsyncIterator[TelegramSimulator]:
    async with TelegramSimulator(token=TOKEN) as simulator:
        yield simulator


@pytest.fixture
async def bare() -> AsyncIterator[BareApi]:
    async with BareApi() as api:
        yield api


@pytest.fixture
async def channel(sim: TelegramSimulator) -> AsyncIterator[TelegramChannel]:
    channel = TelegramChannel(TOKEN, sim.url, patience=HASTE)
    yield channel
    await channel.close()


@pytest.fixture
async def bare_channel(bare: BareApi) -> AsyncIterator[TelegramChannel]:
    channel = TelegramChannel(TOKEN, bare.url, patience=HASTE)
    yield channel
    await channel.close()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()
