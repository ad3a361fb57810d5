"""How the database is: reachable, fast, at the right schema, with connections and space left.

Asks in one short connection with a deadline of its own and turns every failure into a sentence that
holds no secret. What to do about a fault is said by whoever shows it.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from typing import Any

import asyncpg
import sqlalchemy.exc
from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from core.store.schema import fits

# pg_stat_database may be read by every role; pg_stat_activity hides the sessions of others.
FACTS = text("""
    SELECT current_setting('server_version') AS server,
           (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
           to_regclass('alembic_version') IS NOT NULL AS migrated,
           to_regproc('parley_serves_since') IS NOT NULL AS tells,
           pg_database_size(current_database()) AS bytes,
           (SELECT sum(numbackends)::int FROM pg_stat_database) AS used,
           current_setting('max_connections')::int AS most
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHealth:
    """Connections of this process: `active` of `size + max_overflow` are in use."""

    size: int
    max_overflow: int
    active: int
    idle: int
    waiting: int | None = None
    """Callers waiting for a connection; None where the pool does not tell."""

    @property
    def exhausted(self) -> bool:
        limited = self.size > 0 and self.max_overflow >= 0
        return limited and self.active >= self.size + self.max_overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """What the database said; when `ok` is false only `message` and `pool` mean anything."""

    ok: bool
    message: str = ""
    latency_ms: float | None = None
    server: str = ""
    pgvector: str | None = None
    revision: str | None = None
    head: str | None = None
    serves_since: str | None = None
    pool: PoolHealth | None = None
    size_bytes: int | None = None
    connections_used: int | None = None
    connections_max: int | None = None

    @property
    def serves(self) -> bool:
        """Is the schema one that this code may run on: the one it was written for, or a newer one that says
        so? True when nobody said which that is."""
        return self.head is None or fits(self.revision, self.head, self.serves_since)


async def check_database(
    engine: AsyncEngine, head: str | None = None, *, within: float = 3.0
) -> DatabaseHealth:
    """Look at the database for at most `within` seconds; `head` is the revision the code expects.

    Never raises for a database that is away, refuses or hangs: then `ok` is false.
    """
    pool = check_pool(engine)
    try:
        async with asyncio.timeout(within), engine.connect() as connection:
            latency, facts, revision, since = await _ask(connection)
    except (TimeoutError, sqlalchemy.exc.TimeoutError):
        return DatabaseHealth(ok=False, message=_why_slow(pool, within), pool=pool, head=head)
    except Exception as error:  # whatever a driver can raise: this is the place that says why
        return DatabaseHealth(ok=False, message=_why(error, engine), pool=pool, head=head)
    return DatabaseHealth(
        ok=True,
        latency_ms=latency,
        server=facts.server,
        pgvector=facts.pgvector,
        revision=revision,
        head=head,
        serves_since=since,
        pool=pool,
        size_bytes=facts.bytes,
        connections_used=facts.used,
        connections_max=facts.most,
    )


def check_pool(engine: AsyncEngine) -> PoolHealth | None:
    """The pool as it is now, without asking the server; None for an engine that keeps no pool."""
    pool = engine.sync_engine.pool
    if not isinstance(pool, QueuePool):
        return None
    return PoolHealth(
        size=pool.size(),
        max_overflow=pool._max_overflow,
        active=pool.checkedout(),
        idle=pool.checkedin(),
        waiting=_waiting(pool),
    )


def _waiting(pool: QueuePool) -> int | None:
    # The pool has no public count of who waits, and an exhausted pool is the fault most worth seeing:
    # so look into its queue, and say "unknown" should a release arrange it differently.
    getters = getattr(getattr(pool._pool, "_queue", None), "_getters", None)
    return None if getters is None else sum(not getter.done() for getter in getters)


async def _ask(
    connection: AsyncConnection,
) -> tuple[float, Row[*tuple[Any, ...]], str | None, str | None]:
    """The latency in ms, the facts, the revision, and since which one code may run on it."""
    started = time.perf_counter()
    await connection.execute(text("SELECT 1"))
    latency = (time.perf_counter() - started) * 1_000
    facts = (await connection.execute(FACTS)).one()
    if not facts.migrated:
        return latency, facts, None, None
    revisions = await connection.scalars(text("SELECT version_num FROM alembic_version ORDER BY 1"))
    since = await connection.scalar(text("SELECT parley_serves_since()")) if facts.tells else None
    return latency, facts, ", ".join(revisions) or None, since


def _why_slow(pool: PoolHealth | None, within: float) -> str:
    if pool is not None and pool.exhausted:
        return f"no connection is free: all {pool.active} of this process are in use"
    return f"no answer within {within:g} s"


def _why(error: BaseException, engine: AsyncEngine) -> str:
    cause = _driver_error(error)
    where = _place(engine)
    match cause:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return f"{where} refuses the user or the password"
        case asyncpg.InvalidCatalogNameError():
            return f"{where}: there is no database named {engine.url.database!r}"
        case asyncpg.TooManyConnectionsError():
            return f"{where} has no connection left for us"
        case asyncpg.CannotConnectNowError():
            return f"{where} is starting up or shutting down"
        case asyncpg.PostgresError():
            return f"{where} answered with an error ({cause.sqlstate})"
        case OSError():
            return f"nothing answers at {where} ({_reason(cause)})"
        case sqlalchemy.exc.InterfaceError():
            return f"the connection to {where} broke"
    return f"{where} cannot be used ({type(cause).__name__})"


def _driver_error(error: BaseException) -> BaseException:
    """The error of asyncpg or of the system beneath what SQLAlchemy made of it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, asyncpg.PostgresError | OSError):
            return seen
        seen = seen.__cause__
    return error


def _reason(error: OSError) -> str:
    # asyncio puts addresses into `strerror`; resolving a name has its own, negative numbers
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__


def _place(engine: AsyncEngine) -> str:
    """Host and port, or the socket's folder; never the user, the password or an option."""
    url = engine.url
    host = url.host or url.query.get("host") or "the local socket"
    hosts = host if isinstance(host, str) else ", ".join(host)
    return f"{hosts}:{url.port}" if url.port else hosts
