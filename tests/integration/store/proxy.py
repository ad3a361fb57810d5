"""A unix-socket proxy before Postgres that can lose one request or one answer, and with it the connection;
or be away for a while.

It loses an answer only when the server has said that it is ready for the next query, which is after the
commit (https://www.postgresql.org/docs/current/protocol-flow.html).
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import make_url

READY = b"Z\x00\x00\x00\x05I"
Loss = Literal["request", "answer"]


class Proxy:
    """Passes bytes; `lose` arms it for the next request on any connection."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._loss: Loss | None = None
        self._away = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.lost = 0

    def go_away(self) -> None:
        """Break off every connection, and whatever is made from now on."""
        self._away = True
        for writer in self._writers:
            writer.transport.abort()

    def come_back(self) -> None:
        self._away = False

    def lose(self, loss: Loss) -> None:
        self._loss = loss

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        self._writers.add(writer)
        server_reader, server_writer = await asyncio.open_unix_connection(self._server)
        answers = asyncio.create_task(self._pass_answers(server_reader, writer))
        try:
            while data := await reader.read(65536):
                if self._loss == "request":
                    self._loss, self.lost = None, self.lost + 1
                    break
                server_writer.write(data)
        finally:
            answers.cancel()
            server_writer.close()
            writer.close()
            self._writers.discard(writer)

    async def _pass_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._loss == "answer":
                while not data.endswith(READY):
                    data = await reader.read(65536)
                self._loss, self.lost = None, self.lost + 1
                break
            writer.write(data)
        writer.close()


@asynccontextmanager
async def running_proxy(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """The proxy, and the URL of the same database through it."""
    real = make_url(url)
    socket = f".s.PGSQL.{real.query.get('port') or real.port or 5432}"
    proxy = Proxy(Path(str(real.query["host"])) / socket)
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        server = await asyncio.start_unix_server(proxy.serve, Path(folder) / socket)
        try:
            through = real.update_query_dict({"host": folder})
            yield proxy, through.render_as_string(hide_password=False)
        finally:
            server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 5)
