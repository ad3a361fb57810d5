"""The line that can be made sick: each toxic does what it is called, and the line is well afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from bots.torture.proxy import Proxy
from bots.torture.toxics import KINDS, Kind, doses

WORDS = b"word " * 100


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with (
        await asyncio.start_server(echo, "127.0.0.1", 0) as server,
        Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy,
    ):
        yield proxy


@asynccontextmanager
async def line(proxy: Proxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def sick(proxy: Proxy, kind: Kind, seed: int = 1) -> AsyncIterator[asyncio.Task[None]]:
    """For an hour, or until the end of the block."""
    spell = asyncio.create_task(proxy.toxic(kind, 3600, Random(seed)))
    await asyncio.sleep(0)  # it works from its first step on
    try:
        yield spell
    finally:
        spell.cancel()
        await asyncio.gather(spell, return_exceptions=True)


async def said_back(proxy: Proxy, words: bytes = WORDS) -> bytes:
    async with line(proxy) as (reader, writer):
        writer.write(words)
        return await reader.readexactly(len(words))


async def until_the_end(reader: asyncio.StreamReader) -> bytes | None:
    """What came before a polite end; None after a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return None


async def test_it_carries_both_ways(proxy: Proxy) -> None:
    assert await said_back(proxy) == WORDS


async def test_it_carries_to_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with await asyncio.start_unix_server(echo, path), Proxy(str(path)) as proxy:
        assert await said_back(proxy) == WORDS


async def test_a_server_that_is_away_is_a_reset() -> None:
    async with Proxy("/nowhere/at/all") as proxy, line(proxy) as (reader, _):
        assert await until_the_end(reader) is None


@pytest.mark.parametrize("kind", ["latency", "trickle", "slow_close"])
async def test_slow_lines_lose_nothing(proxy: Proxy, kind: Kind) -> None:
    async with sick(proxy, kind):
        assert await said_back(proxy) == WORDS


@pytest.mark.parametrize("kind", ["reset", "refuse"])
async def test_what_is_connected_is_reset(proxy: Proxy, kind: Kind) -> None:
    async with line(proxy) as (reader, writer):
        writer.write(WORDS)
        await reader.readexactly(len(WORDS))
        async with sick(proxy, kind):
            assert await until_the_end(reader) is None


async def test_nobody_is_let_in_by_a_line_that_refuses(proxy: Proxy) -> None:
    async with sick(proxy, "refuse"):
        with pytest.raises(ConnectionRefusedError):
            await said_back(proxy)


async def test_what_was_swallowed_never_comes(proxy: Proxy) -> None:
    async with line(proxy) as (reader, writer):
        writer.write(WORDS)
        await reader.readexactly(len(WORDS))
        async with sick(proxy, "timeout"):
            writer.write(WORDS)
            for _ in range(20):  # turns of the loop, in which the proxy reads them
                await asyncio.sleep(0)
        assert await until_the_end(reader) == b""


async def test_a_cut_lets_the_beginning_through(proxy: Proxy) -> None:
    got = []
    async with sick(proxy, "cut"):
        for _ in range(12):
            async with line(proxy) as (reader, writer):
                writer.write(WORDS)
                writer.write_eof()
                got.append(await until_the_end(reader) or b"")
    assert all(WORDS.startswith(each) for each in got)
    assert any(0 < len(each) < len(WORDS) for each in got)


@pytest.mark.parametrize("kind", ["reset", "refuse", "timeout"])
async def test_a_request_whose_answer_a_toxic_kept_is_noted_once(kind: Kind) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        asked.set()
        await answer.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with (
        await asyncio.start_server(slow, "127.0.0.1", 0) as server,
        Proxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy,
        line(proxy) as (reader, writer),
    ):
        writer.write(b"POST /send HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        await asked.wait()
        async with sick(proxy, kind):
            answer.set()
            for _ in range(20):  # turns of the loop, in which the proxy reads it
                await asyncio.sleep(0)
        assert not await until_the_end(reader)
        assert proxy.unanswered == [b"POST /send HTTP/1.1"]


async def test_it_says_whether_anything_gets_through(proxy: Proxy) -> None:
    through = []
    for kind in KINDS:
        async with sick(proxy, kind):
            if not proxy.blocked:
                through.append(kind)
    assert through == ["latency", "slow_close", "trickle", "cut"]
    assert not proxy.blocked


async def test_what_was_answered_or_ended_without_a_toxic_is_not_noted(proxy: Proxy) -> None:
    async with line(proxy) as (reader, writer):
        writer.write(WORDS)
        await reader.readexactly(len(WORDS))
        async with sick(proxy, "reset"):
            await until_the_end(reader)
    async with line(proxy) as (_, writer):
        writer.write(WORDS)
    assert proxy.unanswered == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_line_is_well_afterwards(proxy: Proxy, kind: Kind) -> None:
    async with sick(proxy, kind):
        pass
    assert await said_back(proxy) == WORDS


def test_the_same_seed_gives_the_same_toxics() -> None:
    given = doses(("database", "redis"), 21, 60, 7)
    assert given == doses(("database", "redis"), 21, 60, 7) != doses(("database", "redis"), 21, 60, 8)
    assert {dose.kind for dose in given} == set(KINDS)
    assert [dose.at for dose in given] == sorted(dose.at for dose in given)
    assert all(0 <= dose.at <= 60 and dose.link in ("database", "redis") for dose in given)
