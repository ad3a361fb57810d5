"""One Postgres: the pool that cold queries share, and the driver connection that hot ones keep.

Errors of the driver and of SQLAlchemy become the house's `StoreError`s here and nowhere else. So does
cancellation: a call to the database that has begun comes to its end, which its own timeouts bound, and a
hot connection whose caller went away is not used again. Nobody finds one in the middle of something.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple, overload
from uuid import UUID

import asyncpg
from sqlalchemy import CursorResult, Executable, ScalarResult
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.selectable import TypedReturnsRows

from core.errors import RowRefused, StoreError, StoreUnavailable

GOODBYE_SECONDS = 0.5
"""What calling off a statement may take before its connection is simply dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSize:
    """Connections and patience, in seconds."""

    size: int = 20
    overflow: int = 10
    recycle: int = 3600
    wait: float = 2.0
    statement: float = 5.0
    lock: float = 2.0
    idle_in_transaction: float = 10.0


def open_engine(url: str, pool: PoolSize | None = None, name: str = "parley") -> AsyncEngine:
    """An engine whose connections never hang for long; nothing is connected yet. `name` is how the server
    lists them."""
    pool = pool or PoolSize()
    settings = {
        "application_name": name,
        "statement_timeout": str(round(pool.statement * 1000)),
        "lock_timeout": str(round(pool.lock * 1000)),
        "idle_in_transaction_session_timeout": str(round(pool.idle_in_transaction * 1000)),
        "jit": "off",
    }
    return create_async_engine(
        driver_url(url),
        pool_size=pool.size,
        max_overflow=pool.overflow,
        pool_recycle=pool.recycle,
        pool_timeout=pool.wait,
        pool_pre_ping=True,
        connect_args={"server_settings": settings, "timeout": 5, "command_timeout": pool.statement + 5},
    )


def driver_url(url: str) -> str:
    """People write `postgres://` or `postgresql://`, the driver is ours to choose; and they write `sslmode`
    as libpq names it, where the driver says `ssl`."""
    scheme, _, rest = url.partition("://")
    rest = re.sub(r"(?<=[?&])sslmode=", "ssl=", rest)
    return f"{'postgresql+asyncpg' if scheme in ('postgres', 'postgresql') else scheme}://{rest}"


def own(found: UUID) -> UUID:
    """The driver's ids are of a type of its own, which JSON encoders do not know."""
    return UUID(bytes=found.bytes)


REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.CardinalityViolationError,
)
"""What a row is to blame for. A missing function or right is not: it waits for whoever mends it."""


def translate(error: BaseException) -> StoreError:
    """What a failed statement means for whoever asked. Only data that can never fit is refused; all
    else, deadlock and lost connection included, may be tried again."""
    cause: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    while cause is not None and not isinstance(cause, asyncpg.PostgresError):
        cause = cause.__cause__
    reason = f"{type(cause or error).__name__}: {cause or error}".split("\n")[0]
    return RowRefused(reason) if isinstance(cause, REFUSED) else StoreUnavailable(reason)


FAILURES = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""The driver's internal error is what it says when the server has just said good-bye to it."""


def meant(error: BaseException) -> BaseException:
    """What to raise for a failed call. The libraries may turn a cancellation into an error of their own; it
    is a cancellation all the same, and whoever catches errors in a loop must not go on."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return asyncio.CancelledError()
    return translate(error)


Result = TypeVar("Result")
Columns = TypeVarTuple("Columns")
Values = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


async def to_its_end(call: Coroutine[Any, Any, Result]) -> Result:
    """Wait for a call to the database, also while being cancelled; then the cancellation goes on. A driver's
    call that is broken off may leave an open transaction on a connection that goes back to the pool
    (https://github.com/sqlalchemy/sqlalchemy/issues/13381)."""
    task = asyncio.ensure_future(call)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # nobody will ask for it
    raise cancelled


class Transaction:
    """The statements of one transaction, each of which comes to its end."""

    __slots__ = ("_connection",)

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @overload
    async def execute(
        self, statement: TypedReturnsRows[*Columns], values: Values = None
    ) -> CursorResult[*Columns]: ...
    @overload
    async def execute(
        self, statement: Executable, values: Values = None
    ) -> CursorResult[*tuple[Any, ...]]: ...
    async def execute(self, statement: Executable, values: Values = None) -> CursorResult[*tuple[Any, ...]]:
        return await to_its_end(self._connection.execute(statement, values))

    async def scalar(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Any:
        return await to_its_end(self._connection.scalar(statement, values))

    async def scalars(self, statement: Executable, values: Values = None) -> ScalarResult[Any]:
        return await to_its_end(self._connection.scalars(statement, values))


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[Transaction]:
    """A transaction for a cold query, with errors in the house's words; taken back when the body fails."""
    connection = engine.connect()
    try:
        await to_its_end(_open(connection))
        yield Transaction(connection)
        await to_its_end(connection.commit())
    except FAILURES as error:
        raise meant(error) from error
    finally:
        if connection.sync_connection is not None:
            await to_its_end(connection.close())


async def _open(connection: AsyncConnection) -> None:
    await connection.start()


class HotConnection:
    """One connection of the pool, kept, and used through the driver itself. One caller at a time."""

    def __init__(self, engine: AsyncEngine, on_lost: Callable[[], None] = lambda: None) -> None:
        """`on_lost` is called when the database did not answer: the next to do so may be another one."""
        self._engine = engine
        self._on_lost = on_lost
        self._connection: AsyncConnection | None = None

    async def fetch(self, statement: str, *arguments: Any) -> Sequence[Any]:
        """Run one statement in autocommit. After a failure that no row is to blame for, and when the caller
        is cancelled, the connection is thrown away, so that the next call begins with a clean one."""
        try:
            rows: Sequence[Any] = await (await self._driver()).fetch(statement, *arguments)
            return rows
        except asyncio.CancelledError:
            await self.close(broken=True)
            raise
        except FAILURES as error:
            meaning = meant(error)
            if not isinstance(meaning, RowRefused):
                self._on_lost()
                await self.close(broken=True)
            raise meaning from error

    async def _driver(self) -> Any:
        if self._connection is None:
            self._connection = await self._engine.connect()
        return (await self._connection.get_raw_connection()).driver_connection

    async def close(self, *, broken: bool = False) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            await to_its_end(_throw_away(connection) if broken else connection.close())
        except FAILURES:
            return  # it was gone already


async def _throw_away(connection: AsyncConnection) -> None:
    """What still runs on it is called off first; but a server that hangs is not waited for."""
    driver = (await connection.get_raw_connection()).driver_connection
    if driver is not None:
        with suppress(*FAILURES):
            await driver.close(timeout=GOODBYE_SECONDS)
    await connection.invalidate()
    await connection.close()
