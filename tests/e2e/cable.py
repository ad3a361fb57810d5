"""A cable to a server that can be pulled and put back: a relay from a loopback port to a unix socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.servers import free_port


class Cable:
    """Everything that comes to `port` goes to the socket, as long as the cable is in."""

    def __init__(self, to: Path) -> None:
        self.port = free_port()
        self._to = to
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def pull(self) -> None:
        """Cut every connection; who connects now is refused."""
        if self._server is not None:
            self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        there_reader, there_writer = await asyncio.open_unix_connection(str(self._to))
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                async with asyncio.TaskGroup() as both:
                    both.create_task(_carry(reader, there_writer))
                    both.create_task(_carry(there_reader, writer))
        finally:
            writer.close()
            there_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)
        await writer.drain()
    raise ConnectionResetError("one end hung up")


@asynccontextmanager
async def plugged(to: Path) -> AsyncIterator[Cable]:
    cable = Cable(to)
    await cable.plug()
    try:
        yield cable
    finally:
        await cable.pull()
