"""The holders' side: get the addresses of a private pair and keep it up while they are used.

Holding is an open connection to the supervisor of the home. When there is no supervisor, one is started;
when it dies, its servers die with it and the first holder to notice starts the next. Clients reconnect
by themselves, the addresses stay the same.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from core.embedded.fault import EmbeddedUnavailable
from core.embedded.folder import START_LOCK, SUPERVISOR_SOCKET, prepare, reach, take
from core.embedded.postgres import DATABASE, OWNER
from core.embedded.valkey import SOCKET

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 180.0  # longer than the supervisor's own limits
_SPAWN_SECONDS = 90.0
_LEAVE_SECONDS = 30.0
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Where the servers are; None for one that was not asked for.

    `database_url` is for SQLAlchemy with asyncpg, `redis_url` for redis-py. Both are valid in other
    processes too, as long as somebody holds the pair.
    """

    database_url: str | None
    redis_url: str | None


@asynccontextmanager
async def embedded_pair(
    home: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    durable: bool = True,
    say: Callable[[str], None] = log.info,
) -> AsyncIterator[Pair]:
    """Hold the private servers of `home` while entered; processes that share a home share them.

    `durable=False` is for tests: nothing is flushed to disk. It counts for whoever starts the pair.
    `say` gets a line for people when something takes longer than usual. Raises `EmbeddedUnavailable`.
    """
    if os.name != "posix":
        raise EmbeddedUnavailable("embedded servers need Linux or macOS; set DATABASE_URL and REDIS_URL")
    folder = await asyncio.to_thread(prepare, home)
    servers = [name for name, wanted in (("postgres", postgres), ("valkey", valkey)) if wanted]
    if postgres and not (folder / "postgres").exists():
        say(f"Setting up a private database in {folder}, this once.")
    async with _held(Hold(folder, servers=servers, durable=durable)):
        yield _pair(reach(folder), postgres=postgres, valkey=valkey)


@asynccontextmanager
async def _held(hold: "Hold") -> AsyncIterator[None]:
    try:
        await hold.take()
        keeper = asyncio.create_task(hold.keep())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
    finally:
        await hold.leave()


def _pair(folder: Path, *, postgres: bool, valkey: bool) -> Pair:
    host, path = quote(str(folder / "postgres")), quote(str(folder / "valkey" / SOCKET))
    return Pair(
        database_url=f"postgresql+asyncpg://{OWNER}@/{DATABASE}?host={host}" if postgres else None,
        redis_url=f"unix://{path}?db=0" if valkey else None,
    )


class Hold:
    """One connection to the supervisor of `folder`."""

    def __init__(self, folder: Path, *, servers: list[str], durable: bool) -> None:
        self._folder = folder
        self._wanted = json.dumps({"servers": servers}).encode() + b"\n"
        self._durable = durable
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def take(self) -> None:
        """Return when the wanted servers answer."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                while not await self._ask():
                    log.debug("the supervisor was just ending: asking the next")
        except TimeoutError as late:
            raise EmbeddedUnavailable(
                f"the embedded servers do not start; see the logs in {self._folder}"
            ) from late

    async def keep(self) -> None:
        """Take hold again whenever the supervisor dies; runs until cancelled."""
        while True:
            if self._stream is not None:
                await self._closed(self._stream[0])
                log.warning("the embedded servers' supervisor has ended: starting the next")
            try:
                await self.take()
            except (EmbeddedUnavailable, OSError) as fault:
                log.error("the embedded servers are gone: %s", fault)
                await asyncio.sleep(1.0)

    async def leave(self) -> None:
        """Let go; the last one out waits until the servers have stopped."""
        if self._stream is None:
            return
        reader, writer = self._stream
        with contextlib.suppress(OSError):
            writer.write_eof()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed(reader), _LEAVE_SECONDS)
        await self._hang_up()

    async def _ask(self) -> bool:
        """Connect and wait for the servers; False when the supervisor left instead of answering."""
        await self._hang_up()
        try:
            connection = await asyncio.to_thread(_connect, self._folder, self._durable)
            reader, writer = self._stream = await asyncio.open_unix_connection(sock=connection)
            writer.write(self._wanted)
            answer = await reader.readline()
        except (ConnectionError, FileNotFoundError):  # it ended between two of our steps
            return False
        if not answer.endswith(b"\n"):
            return False
        if fault := json.loads(answer)["fault"]:
            await self.leave()
            raise EmbeddedUnavailable(fault)
        return True

    async def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream[1].close()
            with contextlib.suppress(OSError):
                await stream[1].wait_closed()

    @staticmethod
    async def _closed(reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            await reader.read()


def _connect(folder: Path, durable: bool) -> socket.socket:
    """A connection to the supervisor, started by us when there is none; one of us at a time."""
    address = str(reach(folder) / SUPERVISOR_SOCKET)
    with take(folder / START_LOCK):
        try:
            return _dial(address)
        except (FileNotFoundError, ConnectionRefusedError):
            _start_supervisor(folder, durable)
            return _dial(address)


def _dial(address: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _start_supervisor(folder: Path, durable: bool) -> None:
    """Returns when it listens. Of our environment it gets what Python needs and no secrets."""
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # it imports what we do
    command = [sys.executable, "-P", "-m", "core.embedded", *([] if durable else ["--fast"])]
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        timeout=_SPAWN_SECONDS,
    )
    if ended.returncode:
        lines = ended.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise EmbeddedUnavailable(f"the embedded servers' supervisor did not start: {lines[-1]}")
