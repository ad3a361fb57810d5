"""Serving: the address that was asked for or a clear refusal, and an end that does not hang."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aiohttp import ClientConnectorError, ClientError, ClientSession
from starlette.types import Receive, Scope, Send

from bots.web.server import PORTS_TRIED, Address, CannotListen, listen, serve

HOST = "127.0.0.1"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@contextmanager
def taken(host: str = HOST) -> Iterator[int]:
    """A port that somebody else has."""
    with socket.create_server((host, 0)) as other:
        yield other.getsockname()[1]


async def fetch(url: str) -> str:
    async with ClientSession() as client, client.get(url) as answer:
        return await answer.text()


async def test_a_free_port_is_the_one_that_was_asked_for() -> None:
    with taken() as port:
        pass
    async with serve(hello, host=HOST, port=port) as address:
        assert address == Address(host=HOST, port=port)
        assert await fetch(address.url) == "hello"


async def test_a_taken_port_that_was_asked_for_is_one_clear_line() -> None:
    with taken() as port, pytest.raises(CannotListen) as refused:
        async with serve(hello, host=HOST, port=port):
            pytest.fail("served on a port of somebody else")
    assert str(refused.value) == f"port {port} on {HOST} is taken: stop who has it, or set PARLEY_WEB__PORT"


async def test_without_a_wish_the_next_free_port_is_taken() -> None:
    with taken() as port:
        async with serve(hello, host=HOST, usual=port) as address:
            assert port < address.port < port + PORTS_TRIED
            assert await fetch(address.url) == "hello"


async def test_two_gateways_get_two_ports() -> None:
    async with (
        serve(hello, host=HOST, usual=48_080) as first,
        serve(hello, host=HOST, usual=48_080) as second,
    ):
        assert first.port != second.port
        assert await fetch(second.url) == "hello"


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_of_another_machine_is_refused_by_name(host: str) -> None:
    with pytest.raises(CannotListen) as refused:
        listen(host, 0)
    assert str(refused.value) == f"{host} is not an address of this machine: set PARLEY_WEB__HOST"


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80")])
def test_an_address_is_shown_as_a_url(host: str, url: str) -> None:
    assert Address(host=host, port=80).url == url


async def test_signals_stay_with_the_gateway() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serve(hello, host=HOST, port=0) as address:
        await fetch(address.url)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def test_it_ends_with_an_idle_connection_open() -> None:
    async with asyncio.timeout(20), ClientSession() as client:
        async with serve(hello, host=HOST, port=0, grace=60) as address:
            answer = await client.get(address.url)
            assert await answer.read() == b"hello"
            # the client keeps the connection for its next request
        with pytest.raises(ClientConnectorError):
            await client.get(address.url)


async def test_it_ends_while_a_client_says_nothing() -> None:
    async with asyncio.timeout(20):
        async with serve(hello, host=HOST, port=0, grace=60) as address:
            reader, writer = await asyncio.open_connection(HOST, address.port)
            writer.write(b"GET / HTTP/1.1\r\n")  # and never the rest
            await writer.drain()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("begun", [True, False])
async def test_a_request_that_never_ends_is_cut_after_the_grace(begun: bool) -> None:
    entered, ended = asyncio.Event(), asyncio.Event()

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(20):
        async with serve(stream, host=HOST, port=0, grace=0) as address:
            request = asyncio.create_task(fetch(address.url))
            await entered.wait()
        assert ended.is_set()
        (outcome,) = await asyncio.gather(request, return_exceptions=True)
    # cut in the middle, or refused as a whole: never mistaken for a complete answer
    assert isinstance(outcome, ClientError) if begun else outcome == "Internal Server Error"


async def test_what_is_under_way_may_finish() -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        await go_on.wait()
        await hello(scope, receive, send)

    async with asyncio.timeout(20):
        async with serve(slow, host=HOST, port=0, grace=15) as address:
            request = asyncio.create_task(fetch(address.url))
            await entered.wait()
            asyncio.get_running_loop().call_later(0.2, go_on.set)
        assert await request == "hello"


async def test_an_error_inside_ends_the_server_too() -> None:
    with pytest.raises(RuntimeError, match="of our own"):
        async with serve(hello, host=HOST, port=0) as address:
            raise RuntimeError("of our own")
    with pytest.raises(ClientConnectorError):
        await fetch(address.url)
