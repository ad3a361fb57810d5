"""`check_database` on a real server: figures when it is well, one clean sentence when it is not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.embedded import embedded_pair
from core.store.database import PoolSize, open_engine
from core.store.health import check_database, check_pool

SERVES = "CREATE OR REPLACE FUNCTION parley_serves_since() RETURNS text LANGUAGE sql AS $$SELECT '{since}'$$"


@pytest.fixture(scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[URL]:
    async with embedded_pair(tmp_path_factory.mktemp("health"), valkey=False, durable=False) as pair:
        assert pair.database_url is not None
        yield make_url(pair.database_url)


@pytest.fixture
async def engine(url: URL) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url, pool_size=1, max_overflow=0)
    yield engine
    await engine.dispose()


async def said_by(url: URL, within: float = 3.0) -> str:
    """The message of a database that is not well."""
    engine = create_async_engine(url)
    health = await check_database(engine, within=within)
    await engine.dispose()
    assert not health.ok
    return health.message


async def test_a_well_database_tells_its_figures(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    health = await check_database(engine)
    assert health.ok
    assert health.message == ""
    assert int(health.server.split(".")[0]) >= 15
    assert health.pgvector
    assert health.latency_ms is not None
    assert health.latency_ms > 0
    assert (health.size_bytes or 0) > 1_000_000
    assert 1 <= (health.connections_used or 0) <= (health.connections_max or 0)


async def test_the_schema_is_compared_with_the_head(engine: AsyncEngine) -> None:
    empty = await check_database(engine, "0002")
    assert (empty.ok, empty.revision, empty.head, empty.serves) == (True, None, "0002", False)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO alembic_version VALUES ('0001')"))
    old = await check_database(engine, "0002")
    assert (old.revision, old.serves) == ("0001", False)
    new = await check_database(engine, "0001")
    assert new.serves
    untold = await check_database(engine, "0000")
    assert (untold.serves, untold.serves_since) == (False, None)
    for since, serves in (("0000", True), ("0001", False)):
        async with engine.begin() as connection:
            await connection.execute(text(SERVES.format(since=since)))
        newer = await check_database(engine, "0000")
        assert (newer.serves, newer.serves_since) == (serves, since)
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
        await connection.execute(text("DROP FUNCTION parley_serves_since()"))


async def test_an_exhausted_pool_is_named_and_its_waiters_counted(url: URL) -> None:
    engine = open_engine(str(url), PoolSize(size=1, overflow=0, wait=0.05))
    async with engine.connect():
        seen = check_pool(engine)
        assert seen is not None
        assert (seen.active, seen.waiting, seen.exhausted) == (1, 0, True)
        health = await check_database(engine)
    assert not health.ok
    assert health.message == "no connection is free: all 1 of this process are in use"
    assert (await check_database(engine)).ok
    await engine.dispose()


async def test_who_waits_for_a_connection_is_counted(engine: AsyncEngine) -> None:
    async with engine.connect():
        waiter = asyncio.create_task(check_database(engine))
        while (seen := check_pool(engine)) is None or not seen.waiting:  # noqa: ASYNC110 - a pool has no event
            await asyncio.sleep(0)
        assert seen.waiting == 1
    assert (await waiter).ok


async def test_a_broken_connection_is_said_and_the_next_look_is_well(engine: AsyncEngine, url: URL) -> None:
    assert (await check_database(engine)).ok
    other = create_async_engine(url)
    async with other.connect() as connection:
        ended = await connection.scalars(
            text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE state = 'idle'")
        )
        assert list(ended) == [True]
    await other.dispose()
    assert not (await check_database(engine)).ok
    assert (await check_database(engine)).ok


async def test_a_missing_database_and_a_wrong_user_are_told_apart(url: URL) -> None:
    assert "there is no database named 'nowhere'" in await said_by(url.set(database="nowhere"))
    refused = await said_by(url.set(username="stranger", password="hunter2"))
    assert refused.endswith("refuses the user or the password")
    assert "hunter2" not in refused


async def test_a_port_where_nobody_listens() -> None:
    message = await said_by(make_url("postgresql+asyncpg://owner:hunter2@127.0.0.1:1/parley"))
    assert message == "nothing answers at 127.0.0.1:1 (Connection refused)"


async def test_a_server_that_never_answers_does_not_hold_us() -> None:
    silence = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    where = make_url(f"postgresql+asyncpg://owner:hunter2@127.0.0.1:{port}/parley")
    assert await said_by(where, within=0.2) == "no answer within 0.2 s"
    silence.set()
    server.close()
    await server.wait_closed()
