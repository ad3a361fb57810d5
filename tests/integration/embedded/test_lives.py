"""Who may die, and what happens to the others: holders, the supervisor, the servers."""

import asyncio
import os
from pathlib import Path
from signal import SIGSTOP

from core.embedded import Pair, embedded_pair
from tests.integration.embedded.processes import (
    SECONDS,
    cached,
    ended,
    holder,
    kill,
    lives,
    pid,
    query,
    replaced,
    until,
)


async def test_two_processes_share_one_pair_and_the_last_one_out_stops_it(home: Path) -> None:
    async with holder(home) as first, holder(home) as second:
        one, two = await first.line(), await second.line()
        assert one == two
        server = pid(home, "postgres")
        assert "left" in await first.leave()
        assert await query(two["database_url"], "SELECT 1") == 1
        assert pid(home, "postgres") == server
        assert "left" in await second.leave()
        assert not lives(server), "who leaves last leaves nothing behind"


async def test_many_at_once_start_one_pair(home: Path) -> None:
    async def hold() -> int:
        async with embedded_pair(home, durable=False) as pair:
            assert await query(pair.database_url, "SELECT 1") == 1
            async with asyncio.timeout(SECONDS):
                await everyone.wait()
            return pid(home, "postgres")

    everyone = asyncio.Barrier(8)
    assert len(set(await asyncio.gather(*(hold() for _ in range(8))))) == 1


async def test_a_killed_holder_leaves_no_server_behind(home: Path) -> None:
    async with holder(home) as process:
        await process.line()
        await process.kill()
        await ended(home)


async def test_the_others_go_on_when_the_one_who_started_the_pair_is_killed(home: Path) -> None:
    async with holder(home) as first:
        addresses = await first.line()
        async with holder(home) as second:
            await second.line()
            server = pid(home, "postgres")
            await first.kill()
            assert await query(addresses["database_url"], "SELECT 1") == 1
            assert pid(home, "postgres") == server


async def test_a_killed_supervisor_takes_the_servers_with_it_and_is_replaced(home: Path, pair: Pair) -> None:
    await query(pair.database_url, "CREATE TABLE IF NOT EXISTS survived AS SELECT 7 AS number")
    supervisor, server = kill(home, "supervisor"), pid(home, "postgres")
    await replaced(home, "supervisor", supervisor)
    await replaced(home, "postgres", server)
    assert await until(lambda: query(pair.database_url, "SELECT number FROM survived")) == 7
    assert await until(lambda: cached(pair.redis_url, "PING"))


async def test_a_killed_supervisor_without_holders_leaves_no_server_behind(home: Path) -> None:
    async with holder(home) as process:
        await process.line()
        process.process.send_signal(SIGSTOP)  # it shall not start the next one before it dies itself
        kill(home, "supervisor")
        await process.kill()
        await ended(home)


async def test_a_crashed_server_is_started_again(home: Path, pair: Pair) -> None:
    database, cache = kill(home, "postgres"), kill(home, "valkey")
    await replaced(home, "postgres", database)
    await replaced(home, "valkey", cache)
    assert await until(lambda: query(pair.database_url, "SELECT 1")) == 1
    assert await until(lambda: cached(pair.redis_url, "PING"))


async def test_leftovers_of_a_crash_do_not_stop_a_start(home: Path) -> None:
    folder = home / "embedded"
    left = [
        folder / "supervisor.sock",
        folder / "valkey" / "valkey.sock",
        folder / "postgres" / ".s.PGSQL.5432",
    ]
    for path in left:
        path.touch()
    for name in ("supervisor", "postgres", "valkey", "start"):
        (folder / f"{name}.lock").write_text(str(os.getpid()))  # a process that lives, but is another
    (folder / "postgres" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{folder}\n0\n5432\n.\n\n0 0\nready\n"
    )
    async with embedded_pair(home, durable=False) as pair:
        assert await query(pair.database_url, "SELECT 1") == 1
        assert await cached(pair.redis_url, "PING")


async def test_a_half_made_database_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "embedded" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with embedded_pair(tmp_path, valkey=False, durable=False) as pair:
        assert await query(pair.database_url, "SELECT 1") == 1
    assert not half.exists()
    await ended(tmp_path, "postgres", "supervisor")


async def test_the_pair_can_be_taken_while_it_is_being_let_go(home: Path) -> None:
    for _ in range(3):
        async with holder(home) as process:
            await process.line()
            await process.kill()
            async with embedded_pair(home, durable=False) as pair:
                assert await query(pair.database_url, "SELECT 1") == 1
