"""Runs migrations: one runner at a time, never waiting long for a lock that a live gateway holds.

The URL comes from the caller (`config.attributes["url"]`, as `core.store.schema` passes it) or else
from the settings. An advisory lock, held on the connection that migrates, lets replicas that start
together take turns.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from core.store.tables import metadata

ADVISORY_LOCK = 7_205_759_403


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
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text("SET lock_timeout = '2s'"))
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=metadata, include_name=is_ours)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
        connection.commit()


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
