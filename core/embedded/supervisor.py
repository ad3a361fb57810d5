"""The process that owns the servers of one home, for as long as somebody holds them.

A holder is a connection to the supervisor's socket: a line of JSON `{"servers": ["postgres", "valkey"]}`,
answered by `{"fault": null}` or `{"fault": "why"}`, then silence until either end closes. Because the
kernel closes the connections of a killed process, nothing needs counting or cleaning. When the last
holder has gone the servers stop, and then the supervisor ends, which closes the connections of those
who left in good order and tells them that nothing is left behind.
"""

import asyncio
import json
import logging
import signal
import socket
from pathlib import Path

from core.embedded.account import Account, unprivileged
from core.embedded.fault import EmbeddedUnavailable
from core.embedded.folder import SUPERVISOR_SOCKET
from core.embedded.postgres import Postgres
from core.embedded.programs import find_postgres, find_valkey
from core.embedded.server import Engine, Server
from core.embedded.valkey import Valkey

log = logging.getLogger(__name__)

_FIRST_HOLDER_SECONDS = 10.0


class Supervisor:
    """Starts what holders ask for; the working directory is the pair's folder."""

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._servers: dict[str, asyncio.Task[Server]] = {}
        self._tending: list[asyncio.Task[None]] = []
        self._holders = 0
        self._leaving: list[asyncio.StreamWriter] = []
        self._changed = asyncio.Event()
        self._ending = False

    async def run(self, listener: socket.socket) -> None:
        """Serve holders on `listener` until the last one leaves or a signal comes."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        server = await asyncio.start_unix_server(self._hold, sock=listener)
        loop.call_later(_FIRST_HOLDER_SECONDS, self._changed.set)
        await self._until_unused()
        self._ending = True  # who is in the queue by now is turned away and asks our successor
        _forget(SUPERVISOR_SOCKET)
        server.close()
        await self._stop()

    async def _until_unused(self) -> None:
        while not self._ending:
            await self._changed.wait()
            self._changed.clear()
            if not self._holders:
                return
            while self._leaving:
                self._leaving.pop().close()

    def _end(self) -> None:
        self._ending = True
        self._changed.set()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._holders += 1
        try:
            wanted = json.loads(await reader.readline())["servers"]
            fault = None if self._ending else await self._need(wanted)
            if not self._ending:
                writer.write(json.dumps({"fault": fault}).encode() + b"\n")
                await reader.read()
        except (ConnectionError, ValueError, KeyError):
            pass
        finally:
            self._holders -= 1
            self._leaving.append(writer)
            self._changed.set()

    async def _need(self, names: list[str]) -> str | None:
        """Have the servers running; returns what went wrong."""
        starts = [self._started(name) for name in names]
        results = await asyncio.gather(*map(asyncio.shield, starts), return_exceptions=True)
        for name, result in zip(names, results, strict=True):
            if isinstance(result, BaseException):
                self._servers.pop(name, None)  # the next holder may find the fault mended
                log.error("%s: %s", name, result)
                known = isinstance(result, EmbeddedUnavailable)
                return str(result) if known else f"the embedded {name} did not start: {result}"
        return None

    def _started(self, name: str) -> asyncio.Task[Server]:
        if name not in self._servers:
            self._servers[name] = asyncio.create_task(self._start(name))
        return self._servers[name]

    async def _start(self, name: str) -> Server:
        account = unprivileged()
        server = Server(await _engine(name, account, self._durable), account)
        await server.start()
        self._tending.append(asyncio.create_task(server.tend()))
        log.info("%s is up", name)
        return server

    async def _stop(self) -> None:
        for task in self._tending:
            task.cancel()
        await asyncio.gather(*self._tending, return_exceptions=True)
        started = await asyncio.gather(*self._servers.values(), return_exceptions=True)
        await asyncio.gather(*(server.stop() for server in started if isinstance(server, Server)))
        log.info("nobody is left: stopped")


def _forget(name: str) -> None:
    """From here on nobody finds us."""
    Path(name).unlink(missing_ok=True)


async def _engine(name: str, account: Account, durable: bool) -> Engine:
    folder = Path.cwd()
    if name == Postgres.name:
        bin = await find_postgres(account)
        return Postgres(bin=bin, folder=folder, account=account, durable=durable)
    if name == Valkey.name:
        program = await find_valkey(account)
        return Valkey(program=program, folder=folder, account=account, durable=durable)
    raise EmbeddedUnavailable(f"there is no embedded server {name!r}")
