"""What tests stand on: one private Postgres and Valkey a session, a database per test made from a template.

Nothing in a test may speak to anything beyond this machine; whoever tries fails loudly.
"""

import gc
import ipaddress
import itertools
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import asyncpg
import pytest

from bots.torture.zygote import Zygote, open_zygote
from core.embedded import Pair, embedded_pair
from core.store import schema

TEMPLATE = "parley_template"


def pytest_configure(config: pytest.Config) -> None:
    sys.addaudithook(_stay_here)


def _stay_here(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not _is_loopback(str(address[0])):
        raise RuntimeError(f"a test wanted to connect to {address[0]}, which is not this machine")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in ("localhost", "")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: looking for garbage in it is a fifth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """A real Postgres with pgvector and a real Valkey; not flushed to disk, since they die with the tests."""
    async with embedded_pair(tmp_path_factory.mktemp("home"), durable=False) as pair:
        yield pair


@pytest.fixture(scope="session")
async def zygote() -> AsyncIterator[Zygote]:
    """Forks gateways, each for a fraction of what a start costs."""
    async with open_zygote() as zygote:
        yield zygote


def named(url: str, database: str) -> str:
    """The same server, another database."""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}?{query}"


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg", "postgresql"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def template(pair: Pair) -> str:
    """The URL of the server's own database; a migrated template stands beside it."""
    assert pair.database_url is not None
    await execute(pair.database_url, f"CREATE DATABASE {TEMPLATE}")
    await schema.upgrade(named(pair.database_url, TEMPLATE))
    return pair.database_url


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
async def database_url(template: str, numbers: Iterator[int]) -> AsyncIterator[str]:
    """A migrated, empty database of this test's own."""
    name = f"test_{next(numbers)}"
    await execute(template, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    yield named(template, name)
    await execute(template, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database_url(template: str, numbers: Iterator[int]) -> AsyncIterator[str]:
    """A database without any schema."""
    name = f"test_{next(numbers)}"
    await execute(template, f"CREATE DATABASE {name}")
    yield named(template, name)
    await execute(template, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def redis_url(pair: Pair) -> str:
    """The session's Valkey, emptied."""
    from redis.asyncio import Redis

    assert pair.redis_url is not None
    async with Redis.from_url(pair.redis_url) as redis:
        await redis.flushdb()
    return pair.redis_url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
