"""Every connection of the shared pool is in use: what must not wait does not, and what waits is told so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from bots.upkeep import watch_pool
from core.errors import StoreUnavailable
from tests.conftest import execute
from tests.world import World, open_world

SMALL = {
    "PARLEY_DATABASE__POOL_SIZE": "2",
    "PARLEY_DATABASE__MAX_OVERFLOW": "0",
    "PARLEY_DATABASE__POOL_TIMEOUT_SECONDS": "0.5",
    "PARLEY_DATABASE__STATEMENT_TIMEOUT_SECONDS": "100",
}


@pytest.fixture
async def world(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[World]:
    async with open_world(tmp_path, database_url, redis_url, SMALL) as world:
        yield world


@asynccontextmanager
async def exhausted(world: World, database_url: str) -> AsyncIterator[None]:
    """All connections of the shared pool are held by statements that do not come back."""
    engine = world.gateway.stores.cold
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(engine.connect()) for _ in range(2)]
        slow = [asyncio.create_task(each.execute(text("SELECT pg_sleep(90)"))) for each in connections]
        try:
            yield
        finally:
            await execute(
                database_url,
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query = 'SELECT pg_sleep(90)'",
            )
            await asyncio.gather(*slow, return_exceptions=True)


async def test_messages_are_accepted_and_answered_all_the_same(world: World, database_url: str) -> None:
    telegram = world.telegram
    telegram.say("ann", "ann", "before")
    await telegram.wait_for(lambda seen: seen[-1].text == "echo: before", timeout=30)
    async with exhausted(world, database_url):
        with pytest.raises(StoreUnavailable, match="QueuePool limit"):
            await world.gateway.records.configs()
        telegram.say("ann", "ann", "meanwhile")  # what it remembers of Ann is in Redis
        telegram.say("bea", "bea", "new here")  # of Bea it must be looked for, which waits
        await telegram.wait_for(lambda seen: seen[-1].text == "echo: meanwhile", timeout=30, chat="ann")
        while await confirmed(world) < 3:  # noqa: ASYNC110 - the simulator tells of messages, not of polls
            await asyncio.sleep(0.01)
    await telegram.wait_for(lambda seen: seen[-1].text == "echo: new here", timeout=30, chat="bea")


async def confirmed(world: World) -> int:
    """How many updates Telegram was told not to send again."""
    offsets = [int(c.params.get("offset") or 0) for c in world.telegram.calls if c.method == "getUpdates"]
    first = next(offset for offset in offsets if offset)
    return 1 + max(offsets) - first


async def test_it_can_be_watched(world: World, database_url: str) -> None:
    gateway = world.gateway
    async with exhausted(world, database_url):
        waiting = asyncio.create_task(gateway.records.configs())
        while not gateway.registry.get_sample_value("parley_db_pool", {"state": "waiting"}):
            await watch_pool(gateway.stores.cold, gateway.metrics)
            await asyncio.sleep(0)
        assert gateway.registry.get_sample_value("parley_db_pool", {"state": "active"}) == 2
        assert gateway.registry.get_sample_value("parley_db_pool", {"state": "idle"}) == 0
        with pytest.raises(StoreUnavailable):
            await waiting
