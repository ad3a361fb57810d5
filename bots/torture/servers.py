"""The stores of a trial: a Postgres and a Valkey that die on purpose and start again over the same data.

They are the programs and settings of the embedded pair, without the supervisor that would start them again
before we want it. Each dies with this process, however this one ends.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from core.embedded.account import Account, unprivileged
from core.embedded.folder import prepare, reach, take
from core.embedded.postgres import DATABASE, OWNER, Postgres
from core.embedded.programs import find_postgres, find_valkey
from core.embedded.server import Engine, open_log
from core.embedded.valkey import SOCKET, Valkey
from core.errors import ParleyError

Result = TypeVar("Result")
START_SECONDS = 60.0
LOOK_SECONDS = 0.01
UNFLUSHED = ("-c", "fsync=off")
"""A server that dies loses nothing that it gave to the kernel, and here no machine loses its power; to flush
every file after every death would take longer than the time between two."""


class StoreNotStarted(ParleyError):
    """A store ended, or took too long, before it answered; the text says which and where its log is."""


class There(Protocol):
    """Runs a coroutine where processes can be started."""

    async def __call__(self, call: Coroutine[Any, Any, Result]) -> Result: ...


class Store:
    """One server. `up` from the moment it answers until it is killed."""

    def __init__(self, server: "Server", there: There) -> None:
        self._server = server
        self._there = there
        self.up = False

    async def start(self) -> None:
        """Return when it answers. Raises `StoreNotStarted`."""
        await self._there(self._server.start())
        self.up = True

    async def kill(self) -> None:
        """End it without a last word, as `immediate` and `kill -9` do; returns when it is gone."""
        self.up = False
        await self._there(self._server.kill())


class Server:
    """The process of a store and what it stands on."""

    def __init__(
        self,
        engine: Engine,
        account: Account,
        folder: Path,
        answers: Callable[[], Awaitable[bool]],
        settings: Sequence[str] = (),
    ) -> None:
        """`folder` holds its data folder, its lock and its log; `answers` asks whether it is ready."""
        self._engine = engine
        self._answers = answers
        self._settings = settings
        self._account = account
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        name = self._engine.name
        # Every process of a server inherits its lock: whoever gets it is alone with the data.
        lock = await asyncio.to_thread(take, self._folder / f"{name}.lock")
        output = open_log(self._folder / f"{name}.log")
        try:
            await self._engine.prepare(lock)
            self._process = await self._account.spawn(
                [*self._engine.command(), *self._settings],
                folder=self._folder / name,
                inherit=lock.fd,
                output=output,
            )
        finally:
            os.close(output)
            lock.release()
        await self._until_it_answers()

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self._engine.force)
            await process.wait()

    async def _until_it_answers(self) -> None:
        assert self._process is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while self._process.returncode is None:
                    if await self._answers():
                        return
                    await asyncio.sleep(LOOK_SECONDS)
        name = self._engine.name
        raise StoreNotStarted(f"{name} did not start, see {self._folder / f'{name}.log'}")


async def ask(socket: Path, *command: str | int) -> Any:
    """The reply of the server behind a socket to one command, on a connection of its own."""
    client = Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0), socket_timeout=5.0)
    try:
        return await cast("Awaitable[Any]", client.execute_command(*command))  # type: ignore[no-untyped-call]
    finally:
        await client.aclose()


class Stores:
    """Both, with the addresses that lead straight to them."""

    def __init__(self, folder: Path, postgres: Store, valkey: Store) -> None:
        self.postgres = postgres
        self.valkey = valkey
        near = reach(folder)
        self.postgres_socket = near / Postgres.name / ".s.PGSQL.5432"
        self.valkey_socket = near / Valkey.name / SOCKET

    @property
    def database_url(self) -> str:
        return f"postgresql+asyncpg://{OWNER}@/{DATABASE}?host={self.postgres_socket.parent}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.valkey_socket}?db=0"

    async def tell_valkey(self, *command: str | int) -> Any:
        """Raises `RedisError` or `OSError` where it is away."""
        return await ask(self.valkey_socket, *command)


@asynccontextmanager
async def open_stores(home: Path) -> AsyncIterator[Stores]:
    """Both servers, up and killed at the end; neither forgets what it has committed."""
    folder = await asyncio.to_thread(prepare, home)
    account = unprivileged()
    async with _nursery() as there:
        bin, program = await there(find_postgres(account)), await there(find_valkey(account))
        database = Postgres(bin=bin, folder=folder, account=account, durable=True)
        cache = Valkey(program=program, folder=folder, account=account, durable=True)
        socket = reach(folder) / cache.name / SOCKET
        postgres = Store(Server(database, account, folder, database.answers, UNFLUSHED), there)
        valkey = Store(Server(cache, account, folder, lambda: _pongs(socket)), there)
        try:
            await asyncio.gather(postgres.start(), valkey.start())
            yield Stores(folder, postgres, valkey)
        finally:
            await asyncio.gather(postgres.kill(), valkey.kill())


@asynccontextmanager
async def _nursery() -> AsyncIterator[There]:
    """Run coroutines on a plain loop in a thread of its own: uvloop starts no process as another account, and
    a process that dies with its parent dies with the thread that started it."""
    loop = asyncio.SelectorEventLoop()
    thread = threading.Thread(target=loop.run_forever, name="stores", daemon=True)
    thread.start()

    async def there(call: Coroutine[Any, Any, Result]) -> Result:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, loop))

    try:
        yield there
    finally:
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()


async def _pongs(socket: Path) -> bool:
    """Does it answer PING? While it loads its data it says LOADING instead."""
    try:
        return bool(await ask(socket, "PING"))
    except (RedisError, OSError):
        return False
