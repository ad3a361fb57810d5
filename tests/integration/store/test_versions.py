"""Code and schema of different releases: what runs on what, what says so, and a migration that is killed."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from bots.health import Report, examine
from bots.stores import Addresses, SchemaIsNew, SchemaIsOld, prepare_schema
from core.store import schema
from core.store.database import transaction
from tests.integration.store.ground import Instance, open_instance, turn_of, whole_turn
from tests.integration.store.test_migrations import UPGRADE, catalogue, engine_for
from tests.world import running_gateway, settings_for

DIES = """
import os, signal, sys
def die(event, arguments):
    if event == "parley.point" and arguments[0] == "B5":
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
"""
NEXT = f"{int(schema.head()) + 1:04}"


@pytest.fixture
def where(database_url: str, redis_url: str) -> Addresses:
    """A database that an operator gave."""
    return Addresses(database_url=database_url, redis_url=redis_url, is_embedded=False)


async def moved_on(one: Instance, *, serves_since: str) -> None:
    await one.rows("UPDATE alembic_version SET version_num = :next", next=NEXT)
    await one.rows(
        "CREATE OR REPLACE FUNCTION parley_serves_since() RETURNS text LANGUAGE sql IMMUTABLE"
        f" AS $$ SELECT '{serves_since}' $$"
    )


async def test_a_newer_schema_is_taken_while_it_says_so(one: Instance, where: Addresses) -> None:
    await moved_on(one, serves_since=schema.head())
    await prepare_schema(one.engine, where)
    await moved_on(one, serves_since="0001")
    await prepare_schema(one.engine, where)
    await moved_on(one, serves_since=NEXT)
    words = (
        f"the database is at revision {NEXT} and serves versions for {NEXT} and later,"
        f" this one is for {schema.head()}: start a newer version"
    )
    with pytest.raises(SchemaIsNew, match=words):
        await prepare_schema(one.engine, where)


async def test_a_newer_schema_that_says_nothing_is_refused(one: Instance, where: Addresses) -> None:
    await one.rows("UPDATE alembic_version SET version_num = :next", next=NEXT)
    await one.rows("DROP FUNCTION parley_serves_since()")
    with pytest.raises(SchemaIsNew, match=f"serves versions for {NEXT} and later"):
        await prepare_schema(one.engine, where)


async def test_an_older_schema_is_refused_with_the_command(one: Instance, where: Addresses) -> None:
    await schema.downgrade(where.database_url, "0001")
    words = f"the database is at revision 0001, this version needs {schema.head()}: run `parley db upgrade`"
    with pytest.raises(SchemaIsOld, match=words):
        await prepare_schema(one.engine, where)
    await schema.upgrade(where.database_url)
    await prepare_schema(one.engine, where)


async def test_a_gateway_lives_through_the_migration_of_the_next_release(
    one: Instance, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """It is ready as long as it is served, and a second one may start beside it."""
    settings = settings_for(tmp_path, {"DATABASE_URL": database_url, "REDIS_URL": redis_url})
    async with running_gateway(settings) as gateway:

        async def seen() -> Report:
            return await examine(gateway.probes(ask_model=False))

        assert (await seen()).ready
        await moved_on(one, serves_since=schema.head())
        found = await seen()
        assert found.ready
        check = next(check for check in found.checks if check.name == "schema")
        assert check.detail == f"revision {NEXT}, newer than this version's {schema.head()}, which it serves"
        async with running_gateway(settings):
            pass
        await moved_on(one, serves_since=NEXT)
        assert not (await seen()).ready
        with pytest.raises(SchemaIsNew):
            async with running_gateway(settings):
                pass


async def test_back_to_the_first_release_and_forth_with_work_in_it(database_url: str) -> None:
    async with engine_for(database_url) as engine:
        before = await catalogue(engine)
        async with open_instance(database_url) as one:
            await use(one)
            await one.accept("waits", owns=False)
        await schema.downgrade(database_url, "0001")
        assert await schema.serves_since(engine) is None
        await engine.dispose()
        await schema.upgrade(database_url)
        assert await schema.serves_since(engine) == "0001"
        assert await catalogue(engine) == before
        await engine.dispose()
        async with open_instance(database_url, "two") as one:
            (work,) = await one.claim()
            assert [waiting.message.text for waiting in work.waiting] == ["hello"]
            await use(one)


async def use(one: Instance) -> None:
    work = await one.work()
    for writing in whole_turn(work, turn_of(work)):
        await one.journal.write(writing)


@pytest.mark.parametrize("start", [None, "0001"])
async def test_a_migration_that_is_killed_leaves_the_revision_before_it(
    empty_database_url: str, start: str | None
) -> None:
    """Killed as its last statement has run and nothing is committed; the next run does it all."""
    if start is not None:
        await schema.upgrade(empty_database_url, start)
    async with engine_for(empty_database_url) as engine:
        before = await catalogue(engine)
        victim = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DIES + UPGRADE, empty_database_url), cwd=schema.ROOT
        )
        assert await victim.wait() == -signal.SIGKILL
        assert await schema.current(engine) == start
        assert await catalogue(engine) == before
        await schema.upgrade(empty_database_url)
        assert await schema.current(engine) == schema.head()
        async with transaction(engine) as connection:
            assert await connection.scalar(text("SELECT parley_serves_since()")) == "0001"
