"""The fence on a real server: when it is raised, and by which witness, and what lifting it says and does."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.store.database import PoolSize, open_engine, transaction
from core.store.fence import LEAP, NEAR, Home, PostgresFence, doubt
from tests.conftest import execute, named
from tests.integration.store.ground import Instance, open_instance

HERE = Home(system="77", database="5", files="1000", timeline=1)
COPIED = Home(system="77", database="5", files="2000", timeline=1)
PROMOTED = Home(system="77", database="5", files="2000", timeline=2)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url, PoolSize(size=2, overflow=0))
    try:
        yield engine
    finally:
        await engine.dispose()


@pytest.fixture
async def fence(one: Instance) -> PostgresFence:
    return await starting(one.engine)


async def starting(engine: AsyncEngine) -> PostgresFence:
    """As a gateway begins: it has asked who the database is."""
    fence = PostgresFence(engine)
    await fence.deployment()
    return fence


@pytest.mark.parametrize(
    ("now", "remembered", "word"),
    [
        (HERE, None, None),
        (HERE, 99, None),
        (HERE, 50, None),
        (HERE, 100, "missing"),
        (HERE, 5000, "missing"),
        (Home(system="78", database="5", files="1000", timeline=1), 99, "restored from a dump"),
        (Home(system="77", database="6", files="1000", timeline=1), None, "restored from a dump"),
        (Home(), None, None),
        (COPIED, 99, None),
        (COPIED, 100 - NEAR - 1, "files"),
        (COPIED, None, "files"),
        (PROMOTED, 99, None),
        (PROMOTED, 100 - NEAR, None),
        (PROMOTED, 100 - NEAR - 1, "timeline 1 to 2"),
        (PROMOTED, None, "timeline 1 to 2"),
    ],
)
def test_what_raises_it(now: Home, remembered: int | None, word: str | None) -> None:
    found = doubt(HERE, now.over(HERE), 100, remembered)
    assert found is None if word is None else word in (found or "")


def test_a_home_is_read_as_it_was_written() -> None:
    assert Home.parse(str(HERE), 1) == HERE
    assert Home.parse("", None) == Home()


async def test_a_database_that_nobody_used_is_not_doubted(one: Instance) -> None:
    fence = PostgresFence(one.engine)
    assert await fence.deployment() is None
    first = await fence.beat(None, starts=True)
    second = await fence.beat(first.number)
    assert (first.number, first.fence, second.number, second.fence) == (1, None, 2, None)
    assert await fence.deployment() == first.deployment == second.deployment


async def test_the_home_of_a_database_is_known(one: Instance, fence: PostgresFence) -> None:
    await fence.beat(None, starts=True)
    ((fingerprint, timeline),) = await one.rows("SELECT fingerprint, timeline FROM identity")
    system, database, files = fingerprint.split("/")
    assert int(system) > 1 << 40
    assert int(database) == await one.one(
        "SELECT oid::int FROM pg_database WHERE datname = current_database()"
    )
    assert int(files) > 1_700_000_000
    assert timeline == 1


async def test_another_start_finds_nothing_missing(one: Instance, fence: PostgresFence) -> None:
    first = await fence.beat(None, starts=True)
    assert (await (await starting(one.engine)).beat(first.number, starts=True)).fence is None


async def test_a_copy_is_fenced_and_bears_another_name(
    one: Instance, fence: PostgresFence, template: str, database_url: str, numbers: Iterator[int]
) -> None:
    original = await fence.beat(None, starts=True)
    await one.engine.dispose()
    name = f"copy_{next(numbers)}"
    here = database_url.partition("?")[0].rpartition("/")[2]
    await execute(
        template, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{here}'"
    )
    await execute(template, f"CREATE DATABASE {name} TEMPLATE {here}")
    try:
        async with opened(named(template, name)) as engine:
            found = await (await starting(engine)).beat(None, starts=True)
        assert "restored from a dump" in (found.doubt or "")
        assert found.fence is not None
        assert found.deployment != original.deployment
    finally:
        await execute(template, f"DROP DATABASE {name} WITH (FORCE)")
    assert (await fence.beat(original.number)).fence is None


async def test_beats_that_went_back_raise_it_once(one: Instance, fence: PostgresFence) -> None:
    """Three gateways run on; then the database is what it was a while ago."""
    await fence.beat(None, starts=True)
    seen = [900, 901, 902]
    found = [await fence.beat(remembered) for remembered in seen]
    assert [beat.doubt is not None for beat in found] == [True, False, False]
    assert "was at 900 before" in (found[0].doubt or "")
    assert found[0].number == 900 + LEAP
    assert all(beat.fence is not None for beat in found)
    await fence.lift("resume")
    assert (await fence.beat(found[-1].number)).fence is None


async def test_gateways_that_start_together_raise_one(one: Instance, fence: PostgresFence) -> None:
    await fence.beat(None, starts=True)
    others = [await starting(one.engine) for _ in range(3)]
    found = await asyncio.gather(*(other.beat(5000, starts=True) for other in others))
    assert sum(beat.doubt is not None for beat in found) == 1
    assert len({beat.fence for beat in found}) == 1
    assert await one.one("SELECT count(*) FROM fences") == 1


async def test_an_older_fence_does_not_hide_a_new_doubt(one: Instance, fence: PostgresFence) -> None:
    """A backup that was made behind a fence, of which much was answered later."""
    await fence.beat(None, starts=True)
    await fence.put_up("first")
    standing = (await fence.beat(5000)).fence
    assert standing is not None
    assert "missing" in standing.reason
    assert await one.one("SELECT count(*) FROM fences WHERE lifted_at IS NULL") == 2
    await fence.lift("uncertain")
    assert await fence.standing() is None


async def test_a_user_without_rights_does_with_less(
    one: Instance, fence: PostgresFence, template: str, database_url: str, numbers: Iterator[int]
) -> None:
    """And does not forget what one with more rights has seen."""
    await fence.beat(None, starts=True)
    before = await one.one("SELECT fingerprint FROM identity")
    role = f"plain_{next(numbers)}"
    await one.rows(f"CREATE ROLE {role} LOGIN")
    await one.rows(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        head, _, rest = database_url.partition("://")
        async with opened(f"{head}://{role}@{rest.partition('@')[2]}") as engine:
            plain = await starting(engine)
            assert (await plain.beat(1, starts=True)).fence is None
            assert (await plain.beat(2)).number == 3
        assert await one.one("SELECT fingerprint FROM identity") == before
    finally:
        await one.rows(f"DROP OWNED BY {role}")
        await one.rows(f"DROP ROLE {role}")


async def test_a_beat_outlives_a_crash_where_other_commits_do_not(database_url: str) -> None:
    """With synchronous_commit off a crash takes the last commits; a lost beat would look like a restore."""
    async with opened(database_url) as engine:
        fence = await starting(engine)
        await fence.beat(None, starts=True)
        async with transaction(engine) as connection:
            await connection.execute(text("SET synchronous_commit = off"))
        assert any([await is_flushed_after(engine, fence, number) for number in (1, 2, 3)])


async def is_flushed_after(engine: AsyncEngine, fence: PostgresFence, number: int) -> bool:
    """Asked at once; something of the server's own may be on its way just then."""
    await fence.beat(number)
    async with transaction(engine) as connection:
        flushed = text("SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()")
        return bool(await connection.scalar(flushed))


async def test_who_is_concerned(one: Instance, fence: PostgresFence) -> None:
    """Asked before the fence: by the platform's clock, within a month of accepting it."""
    assert await fence.concern() == await fence.lift("uncertain")
    await one.accept("a", "first")
    await one.accept("a", "second")
    await one.answer(await one.work("b", "answered"))
    await one.accept("c", "waits")
    await fence.put_up("a trial")
    await one.accept("c", "asked while it stands")
    await one.accept("d", "said before, delivered now")
    await one.accept("d", "said long before, by a clock that is wrong")
    for said, ago in (
        ("said before, delivered now", timedelta(hours=2)),
        ("said long before, by a clock that is wrong", timedelta(days=300)),
    ):
        await one.rows(
            "UPDATE inbox SET sent_at = :at WHERE payload->>'text' = :said",
            at=datetime.now(UTC) - ago,
            said=said,
        )
    concern = await fence.concern()
    assert concern.fence is not None
    assert concern.fence.reason == "a trial"
    assert (concern.conversations, concern.messages, concern.since) == (3, 4, 2)
    assert await fence.lift("uncertain") == concern
    ((lifted_as, is_later),) = await one.rows("SELECT lifted_as, lifted_at > raised_at FROM fences")
    assert (lifted_as, is_later) == ("uncertain", True)


async def test_lifting_wakes_everybody(one: Instance, fence: PostgresFence, database_url: str) -> None:
    await fence.put_up("a trial")
    async with opened(database_url) as engine, engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        woken = asyncio.Event()
        await driver.add_listener("parley_wake", lambda *_: woken.set())
        await fence.lift("resume")
        async with asyncio.timeout(10):
            await woken.wait()
        await connection.invalidate()


async def test_a_database_where_it_was_never_looked_at_is_read(database_url: str) -> None:
    async with open_instance(database_url) as one:
        assert await PostgresFence(one.engine).standing() is None
