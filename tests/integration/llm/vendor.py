"""A model vendor for tests, at the level of bytes: it sends exactly what a test says and keeps exactly what
came.

What the protocol's normal course looks like is the simulator's business; this one exists for what no
well-behaved server would do: cuts inside a header, silence, nonsense, and for reading a request as it stood
on the wire.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


class Exchange:
    """One request and the connection to answer it on."""

    def __init__(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen = seen
        self._reader = reader
        self._writer = writer

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def until_hung_up(self) -> None:
        """Send nothing more until the client closes the connection."""
        with suppress(ConnectionError):
            while await self._reader.read(4096):
                pass


Play = Callable[[Exchange], Awaitable[bool]]
"""Answers a request; True keeps the connection for the next one, False hangs up."""


class Vendor:
    """A loopback server that answers with `play`. `seen` are the requests, `connections` how many were
    opened."""

    def __init__(self) -> None:
        self.play: Play = says(b"")
        self.seen: list[Seen] = []
        self.connections = 0
        self.hung_up = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> "Vendor":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._open[task] = writer
        try:
            while seen := await _request(reader):
                self.seen.append(seen)
                if not await self.play(Exchange(seen, reader, writer)):
                    break
        except ConnectionError:
            pass
        finally:
            self.hung_up.set()
            writer.close()
            del self._open[task]


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (header.partition(": ") for header in rest)}
    return Seen(line=line, headers=headers, body=await reader.readexactly(int(headers["content-length"])))


def says(data: bytes) -> Play:
    """Sends these bytes, whatever was asked, and keeps the connection."""

    async def play(exchange: Exchange) -> bool:
        await exchange.write(data)
        return True

    return play


def breaks_after(data: bytes) -> Play:
    """Sends these bytes and hangs up."""

    async def play(exchange: Exchange) -> bool:
        await exchange.write(data)
        return False

    return play


def stalls_after(data: bytes) -> Play:
    """Sends these bytes and then nothing, until the client hangs up."""

    async def play(exchange: Exchange) -> bool:
        await exchange.write(data)
        await exchange.until_hung_up()
        return False

    return play


def plain(body: object, status: int = 200, headers: str = "") -> bytes:
    """A whole HTTP response; what is not bytes becomes JSON."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
    return head.encode() + data


STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"


def streamed(*events: bytes) -> bytes:
    """A whole streamed response."""
    return STREAM_HEAD + b"".join(map(framed, events)) + STREAM_END


def framed(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(payload: object) -> bytes:
    return b"data: " + (payload if isinstance(payload, bytes) else orjson.dumps(payload)) + b"\n\n"


DONE = event(b"[DONE]")
USAGE = {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35}


def delta(text: object, finish: str | None = None, **more: object) -> bytes:
    """An event that carries a piece of the answer."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event({"id": "chatcmpl-1", "model": "gpt-5-mini-2025-08-07", "choices": [choice], **more})


def usage(numbers: object) -> bytes:
    """The event that carries the usage and no choice."""
    return event({"id": "chatcmpl-1", "choices": [], "usage": numbers})


def completion(text: str | None, finish: str = "stop", **more: object) -> dict[str, object]:
    """A whole completion, as answered without streaming."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return {"id": "chatcmpl-2", "model": "gpt-5-mini-2025-08-07", "choices": [choice], **more}
