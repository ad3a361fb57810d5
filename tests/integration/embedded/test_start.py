"""A private pair comes up, keeps its data, and says in one line why it cannot."""

import os
import stat
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from core.embedded import EmbeddedUnavailable, Pair, embedded_pair
from core.embedded.folder import reach
from tests.integration.embedded.processes import cached, ended, holder, pid, query


async def test_a_durable_pair_stands_on_an_empty_home_and_keeps_what_it_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    async with embedded_pair(tmp_path / "home", say=said.append) as pair:
        await query(pair.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
        await cached(pair.redis_url, "SET", "kept", "43")
        assert await query(pair.database_url, "SHOW fsync") == "on"
        assert await cached(pair.redis_url, "CONFIG", "GET", "appendonly") == {"appendonly": "yes"}
    await ended(tmp_path / "home")
    async with embedded_pair(tmp_path / "home", say=said.append) as pair:
        assert await query(pair.database_url, "SELECT answer FROM kept") == 42
        assert await cached(pair.redis_url, "GET", "kept") == "43"
    await ended(tmp_path / "home")
    assert len(said) == 1, "only the first start is worth a line"


async def test_the_servers_are_what_parley_needs(pair: Pair) -> None:
    vector = "SELECT '[1,2,3]'::vector <-> '[1,2,4]'::vector"
    await query(pair.database_url, "CREATE EXTENSION IF NOT EXISTS vector")
    assert await query(pair.database_url, vector) == 1.0
    assert await query(pair.database_url, "SHOW listen_addresses") == ""
    assert await query(pair.database_url, "SHOW server_encoding") == "UTF8"
    assert await query(pair.database_url, "SELECT lower('ÄÖ')") == "äö"
    assert await cached(pair.redis_url, "CONFIG", "GET", "maxmemory-policy") == {
        "maxmemory-policy": "volatile-lru"
    }
    assert await cached(pair.redis_url, "CONFIG", "GET", "port") == {"port": "0"}


async def test_sqlalchemy_takes_the_address(pair: Pair) -> None:
    assert pair.database_url is not None
    engine = create_async_engine(pair.database_url)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT current_database()"))).scalar_one() == "parley"
    await engine.dispose()


@pytest.mark.parametrize("name", ["with a space and 50%", "comma, colon: deep/" + "er/" * 40])
async def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    try:
        async with embedded_pair(home, durable=False) as pair:
            assert pair.database_url is not None
            assert await query(pair.database_url, "SELECT 1") == 1
            assert await cached(pair.redis_url, "PING")
            engine = create_async_engine(pair.database_url)
            async with engine.connect() as connection:
                assert (await connection.execute(text("SELECT 2"))).scalar_one() == 2
            await engine.dispose()
    finally:
        if (link := reach(home / "embedded")).is_symlink():
            link.unlink()
    await ended(home)


async def test_folders_that_exist_keep_their_modes(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    site = Path(sys.prefix)
    folders = [*closed.parents, closed, *site.parents, site]
    before = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
    async with embedded_pair(closed / "home", durable=False) as pair:
        assert await query(pair.database_url, "SELECT 1") == 1
        assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == before
        assert stat.S_IMODE((closed / "home" / "embedded").stat().st_mode) == 0o700
    await ended(closed / "home")


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives its privileges away")
def test_root_does_not_lend_its_power_to_the_servers(home: Path, pair: Pair) -> None:
    for name in ("postgres", "valkey"):
        process = Path("/proc", str(pid(home, name)))
        assert process.stat().st_uid != 0
        variables = {entry.split(b"=")[0] for entry in process.joinpath("environ").read_bytes().split(b"\0")}
        assert variables <= {b"LC_ALL", b"PATH", b""}


async def test_one_server_alone(tmp_path: Path) -> None:
    async with embedded_pair(tmp_path, postgres=False, durable=False) as pair:
        assert pair.database_url is None
        assert await cached(pair.redis_url, "PING")
        assert not (tmp_path / "embedded" / "postgres").exists()
    await ended(tmp_path)


async def test_the_wheels_are_not_imported(home: Path) -> None:
    async with holder(home) as process:
        await process.line()
        assert await process.leave() == ["left", {"imported": []}]


async def test_without_the_wheels_it_says_what_to_install(tmp_path: Path) -> None:
    bare = getattr(sys, "_base_executable", sys.executable)
    if bare == sys.executable:
        pytest.skip("the tests do not run in a virtual environment, so there is no Python without the wheels")
    async with holder(tmp_path, "valkey", python=bare) as process:
        fault = (await process.line())["fault"]
    assert "install parley-gateway[embedded], or set REDIS_URL" in fault


async def test_a_home_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(
        EmbeddedUnavailable, match=r"cannot write to .*/file/home/embedded: Not a directory; set"
    ):
        async with embedded_pair(tmp_path / "file" / "home"):
            pass


async def test_postgres_own_last_words_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / "embedded" / "postgres").mkdir(parents=True)
    with pytest.raises(EmbeddedUnavailable, match=r"the embedded postgres did not start: .*postgres"):
        async with embedded_pair(tmp_path, valkey=False):
            pass
    await ended(tmp_path, "supervisor")


async def test_an_unreadable_cache_is_set_aside(tmp_path: Path) -> None:
    async with embedded_pair(tmp_path, postgres=False) as pair:
        await cached(pair.redis_url, "SET", "lost", "1")
    manifest = tmp_path / "embedded" / "valkey" / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("this is no manifest\n")
    async with embedded_pair(tmp_path, postgres=False) as pair:
        assert await cached(pair.redis_url, "GET", "lost") is None
    assert (tmp_path / "embedded" / "valkey.unreadable" / "appendonlydir").is_dir()
    await ended(tmp_path, "valkey", "supervisor")
