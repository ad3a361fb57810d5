"""Whoever stops waiting for the database leaves nothing half done behind: no connection that is lost to the
pool, none in the middle of a statement or a transaction."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.store.database import HotConnection, PoolSize, open_engine, transaction
from core.store.health import check_pool

BUSY = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cancelled' AND state <> 'idle'"
ASLEEP = f"{BUSY} AND wait_event = 'PgSleep'"


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(database_url, PoolSize(size=2, overflow=0, wait=5.0), "cancelled")
    yield engine
    await engine.dispose()


@pytest.fixture
async def outside(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Looks on, under another name."""
    engine = open_engine(database_url, PoolSize(size=1, overflow=0))
    yield engine
    await engine.dispose()


async def reaches(outside: AsyncEngine, query: str, wanted: int) -> None:
    """Asked again and again: the server tells nobody when that changes."""
    while True:
        async with transaction(outside) as connection:
            if await connection.scalar(text(query)) == wanted:
                return


async def write_slowly(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'slow')"))
        await connection.execute(text("SELECT pg_sleep(0.2)"))
        await connection.execute(text("INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'late')"))


async def test_a_statement_comes_to_its_end_and_its_transaction_is_taken_back(
    engine: AsyncEngine, outside: AsyncEngine
) -> None:
    task = asyncio.create_task(write_slowly(engine))
    await reaches(outside, ASLEEP, 1)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # once more, while the first one waits for the statement
    with pytest.raises(asyncio.CancelledError):
        await task
    await reaches(outside, BUSY, 0)
    async with transaction(engine) as connection:
        assert await connection.scalar(text("SELECT count(*) FROM tenants WHERE name <> 'default'")) == 0
    pool = check_pool(engine)
    assert pool is not None
    assert (pool.active, pool.idle) == (0, 1)


async def test_a_storm_of_cancellations_costs_no_connection(
    engine: AsyncEngine, outside: AsyncEngine
) -> None:
    """Each a little later, from before the connection is opened to after the commit."""
    for turns in itertools.count():
        task = asyncio.create_task(write(engine))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        if not isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError):
            break
    assert turns > 20
    await reaches(outside, BUSY, 0)
    pool = check_pool(engine)
    assert pool is not None
    assert pool.active == 0
    async with transaction(engine) as first, transaction(engine) as second:
        nested = text("SELECT pg_current_xact_id_if_assigned() IS NULL")
        assert [await first.scalar(nested), await second.scalar(nested)] == [True, True]


async def write(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE tenants SET name = name"))


async def test_a_deadline_is_kept_as_soon_as_the_statement_lets_it(engine: AsyncEngine) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await write_slowly(engine)


async def test_a_hot_connection_is_not_used_again(engine: AsyncEngine, outside: AsyncEngine) -> None:
    hot = HotConnection(engine)
    ((before,),) = await hot.fetch("SELECT pg_backend_pid()")
    task = asyncio.create_task(hot.fetch("SELECT pg_sleep(4)"))
    await reaches(outside, ASLEEP, 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ((after,),) = await hot.fetch("SELECT pg_backend_pid()")
    assert before != after
    await hot.close()
    assert check_pool(engine).active == 0  # type: ignore[union-attr]
