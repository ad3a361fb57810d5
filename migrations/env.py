"""Runs migrations: one runner at a time, never waiting long for a lock that a live gateway holds.

The URL comes from the caller (`config.attributes["url"]`, as `core.store.schema` passes it) or else
from the settings. An advisory lock, held on the connection that migrates, lets replicas that start
together take turns. Where a lock is not given in time, all is taken back and tried again later, so
that the gateway, which would queue behind us, goes on in between.
"""

import asyncio
import time

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from core.points import reach
from core.store.tables import metadata

ADVISORY_LOCK = 7_205_759_403
TRIES = 30
TRY_AGAIN = ("55P03", "40P01")
"""Lock not available, deadlock: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def database_url() -> str:
    given = context.config.attributes.get("url")
    if isinstance(given, str):
        return given
    from config.settings import load

    url = load().database.url
    if url is None:
        raise SystemExit("DATABASE_URL is not set: `parley db upgrade` knows the embedded database.")
    return url.get_secret_value()


def is_ours(name: str | None, kind: str, parents: object) -> bool:
    """The partitions of `messages` come and go with the months; no model describes them."""
    return not (kind == "table" and name is not None and name.startswith("messages_"))


def run(connection: Connection) -> None:
    seconds = float(context.config.attributes.get("lock_seconds", 2.0))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text(f"SET lock_timeout = {round(seconds * 1000)}"))
    connection.commit()
    try:
        for left in reversed(range(TRIES)):
            if migrate(connection, is_last=not left):
                break
            time.sleep(seconds / 2)
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()


def migrate(connection: Connection, *, is_last: bool) -> bool:
    """One try, all or nothing; False when it is to be tried again."""
    context.configure(connection=connection, target_metadata=metadata, include_name=is_ours)
    try:
        with context.begin_transaction():
            context.run_migrations()
            reach("B5")
    except DBAPIError as error:
        connection.rollback()
        if is_last or getattr(error.orig, "sqlstate", None) not in TRY_AGAIN:
            raise
        return False
    return True


async def run_async() -> None:
    engine = create_async_engine(database_url(), poolclass=pool.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


def run_online() -> None:
    connection = context.config.attributes.get("connection")
    if isinstance(connection, Connection):
        run(connection)
    else:
        asyncio.run(run_async())


run_online()
