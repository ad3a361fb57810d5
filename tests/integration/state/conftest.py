"""Servers for the tests of the state: one shared, and one of its own for a test that breaks it."""

from collections.abc import AsyncIterator

import pytest

from core.state.redis_state import RedisState, open_state
from tests.integration.state.talk import PATIENT
from tests.servers import Valkey, running_valkey


@pytest.fixture(scope="module")
async def shared_server() -> AsyncIterator[Valkey]:
    async with running_valkey() as server:
        yield server


@pytest.fixture
async def server(shared_server: Valkey) -> Valkey:
    """An empty server."""
    await shared_server.client.flushall()
    return shared_server


@pytest.fixture
async def state(server: Valkey) -> AsyncIterator[RedisState]:
    async with open_state(server.url, PATIENT) as state:
        yield state


@pytest.fixture
async def fragile() -> AsyncIterator[Valkey]:
    """A server to kill, pause or fill."""
    async with running_valkey() as server:
        yield server
