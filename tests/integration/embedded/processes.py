"""What the tests of the embedded servers do with processes: start holders, kill, wait for ends.

Waits are for facts: a line printed, a lock that the kernel frees when the last process that holds it has
ended, a server that takes a connection again.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import Any

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from core.embedded.folder import take_now

ROOT = Path(__file__).parents[3]
SECONDS = 30.0


class Holder:
    """A started `holder.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> Any:
        """The next line of JSON that it prints."""
        assert self.process.stdout is not None
        async with asyncio.timeout(SECONDS):
            return json.loads(await self.process.stdout.readline())

    async def leave(self) -> list[Any]:
        """End its input; the rest that it prints."""
        async with asyncio.timeout(SECONDS):
            printed, _ = await self.process.communicate(b"")
        return [json.loads(line) for line in printed.splitlines()]

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


@asynccontextmanager
async def holder(home: Path, *servers: str, python: str = sys.executable) -> AsyncIterator[Holder]:
    """A process that holds the pair of `home`; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        python,
        str(Path(__file__).with_name("holder.py")),
        str(home),
        *servers,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    started = Holder(process)
    try:
        yield started
    finally:
        await started.kill()


async def _free(lock: Path) -> None:
    held = take_now(lock)
    if held is None:
        raise ConnectionError(f"{lock} is held")
    held.release()


async def ended(home: Path, *names: str) -> None:
    """Wait until no process of the named parts of the pair lives, which frees their locks."""
    for name in names or ("postgres", "valkey", "supervisor"):
        await until(partial(_free, home / "embedded" / f"{name}.lock"))


def pid(home: Path, name: str) -> int:
    """The process id of a part of the pair."""
    return int((home / "embedded" / f"{name}.lock").read_text())


def lives(number: int) -> bool:
    """Does the process run? One that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(home: Path, name: str) -> int:
    """kill -9 a part of the pair; returns its process id."""
    number = pid(home, name)
    os.kill(number, SIGKILL)
    return number


async def query(url: str | None, statement: str) -> Any:
    assert url is not None
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def cached(url: str | None, *command: str) -> Any:
    assert url is not None
    async with Redis.from_url(url, decode_responses=True) as client:
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def until(attempt: Callable[[], Awaitable[Any]]) -> Any:
    """What `attempt` returns as soon as it reaches its server."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await attempt()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisConnectionError):
                await asyncio.sleep(0.02)


async def replaced(home: Path, name: str, old: int) -> None:
    """Wait until another process stands in for the killed `old` one."""

    async def newer() -> None:
        try:
            if pid(home, name) == old:
                raise ConnectionError
        except ValueError as writing:
            raise ConnectionError from writing

    await until(newer)
