"""A line between two parts that can be made sick: a TCP proxy on loopback before a server.

It carries bytes both ways, as they are, until a toxic is given; what a toxic does is in `toxics`. The server
may listen on a unix socket, as the embedded Postgres and Valkey do. It notes which requests went through and
were never answered because of a toxic, for whoever sent them cannot know what became of them.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from bots.torture.toxics import BLOCKING, Kind, Spell

CHUNK = 1 << 16
LONGEST_LINE = 200
AT_ONCE = struct.pack("ii", 1, 0)
"""A linger time of zero: the kernel sends RST instead of FIN (socket(7), SO_LINGER)."""


class Proxy:
    """`async with Proxy(host, port) as proxy` listens on 127.0.0.1 at `proxy.port`."""

    def __init__(self, host: str, port: int = 0) -> None:
        """`host` is a name or address; with a leading slash it is the path of a unix socket. `unanswered` has
        the first line of each request whose answer a toxic kept."""
        self.port = 0
        self.unanswered: list[bytes] = []
        self._host, self._to = host, port
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._taken: set[asyncio.Task[None]] = set()
        self._spell: Spell | None = None

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_door()
        taken = list(self._taken)
        for task in taken:
            task.cancel()
        await asyncio.gather(*taken, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    @property
    def blocked(self) -> bool:
        """Does nothing get through now?"""
        return self._spell is not None and self._spell.kind in BLOCKING

    async def toxic(self, kind: Kind, seconds: float, random: Random) -> None:
        """Make the line sick for so long; returns when it is well again. One at a time: a later one takes
        the place of an earlier one."""
        if self._spell is not None:
            self._spell.over.set()
        spell = self._spell = Spell(kind, random)
        if kind == "refuse":
            self._close_door()
        if kind in ("refuse", "reset"):
            for connection in list(self._connections):
                connection.reset()
        try:
            await asyncio.sleep(seconds)
        finally:
            spell.over.set()
            if self._spell is spell:
                self._spell = None
                if self._server is None:
                    await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _close_door(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._taken.add(task)
        task.add_done_callback(self._taken.discard)
        try:
            there = await self._reach()
        except (OSError, asyncio.CancelledError):  # the server is away, or we are: whoever came must notice
            _reset(writer)
            return
        connection = _Connection((reader, writer), there, lambda: self._spell, self.unanswered)
        self._connections.add(connection)
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await connection.carry()
        finally:
            self._connections.discard(connection)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._host.startswith("/"):
            return await asyncio.open_unix_connection(Path(self._host))
        return await asyncio.open_connection(self._host, self._to)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection:
    """Both ends of one connection through the proxy."""

    def __init__(
        self,
        here: Ends,
        there: Ends,
        spell: Callable[[], Spell | None],
        unanswered: list[bytes],
    ) -> None:
        self._here, self._there, self._spell = here, there, spell
        self._unanswered = unanswered
        self._asked = b""

    async def carry(self) -> None:
        """Until both ends have hung up, one broke, or a toxic ends it."""
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._carry(self._here[0], self._there[1]), name="there")
                ways.create_task(self._carry(self._there[0], self._here[1]), name="back")
        except* OSError:
            self._abort()
        finally:
            self._close()

    def hang_up(self) -> None:
        """A toxic's end of it."""
        self._lose()
        self._close()

    def reset(self) -> None:
        """A toxic's end of it, without a goodbye."""
        self._lose()
        self._abort()

    def _close(self) -> None:
        for _, writer in (self._here, self._there):
            writer.close()

    def _abort(self) -> None:
        for _, writer in (self._here, self._there):
            _reset(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flow = _Flow(self, writer)
        while data := await reader.read(CHUNK):
            if (spell := self._spell()) is None:
                await flow.pass_on(data)
            else:
                await spell.carry(data, flow)
            self._passed(data, there=reader is self._here[0])
        if (spell := self._spell()) is not None and spell.kind == "slow_close":
            await spell.over.wait()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()

    def _passed(self, data: bytes, *, there: bool) -> None:
        """Whatever comes back counts as the answer: nobody asks on while one is on its way."""
        if not there:
            self._asked = b""
        elif not self._asked and not self._there[1].is_closing():
            self._asked = data.partition(b"\r\n")[0][:LONGEST_LINE]

    def _lose(self) -> None:
        if self._asked:
            self._unanswered.append(self._asked)
        self._asked = b""


class _Flow:
    """One direction, as a toxic sees it."""

    def __init__(self, connection: _Connection, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.hang_up, self.reset = connection.hang_up, connection.reset

    async def pass_on(self, data: bytes) -> None:
        if self._writer.is_closing():  # not every loop makes an OSError of it
            raise ConnectionResetError("the other end was hung up")
        self._writer.write(data)
        await self._writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()
