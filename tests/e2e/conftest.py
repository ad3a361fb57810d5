"""The world around a gateway in a process of its own: simulated neighbours, real stores."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from bots.torture.zygote import Zygote
from tests.e2e.programs import Gateway, forked
from tests.world import TOKEN, environment_for, process_environment

KEY = "sk-simulated-key-for-tests"

Start = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def gateway(zygote: Zygote) -> Start:
    """Starts gateways with an environment; how one starts by itself is `programs.gateway`."""
    return partial(forked, zygote)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramSimulator]:
    async with TelegramSimulator(token=TOKEN) as simulator:
        yield simulator


@pytest.fixture
async def model() -> AsyncIterator[ModelSimulator]:
    async with ModelSimulator(api_key=KEY) as simulator:
        yield simulator


@pytest.fixture
def bare(home: Path) -> dict[str, str]:
    """No store, no channel, no model: what a newcomer has."""
    home.mkdir()
    return process_environment({}, home)


@pytest.fixture
def environment(
    home: Path,
    bare: Mapping[str, str],
    telegram: TelegramSimulator,
    model: ModelSimulator,
    database_url: str,
    redis_url: str,
) -> dict[str, str]:
    """Everything an operator sets."""
    around = environment_for(telegram, model, database_url, redis_url)
    return {**bare, **around, "OPENAI_API_KEY": KEY}
