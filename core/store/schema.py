"""The schema's version: where the database is, where this code wants it, and how to get there.

Alembic does the work (`migrations/`); this gives it the URL of a running gateway, whose embedded
database has no address in the environment. Alembic takes a fifth of a second to import, so a start that finds
the schema in step does without it.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from core.errors import RowRefused
from core.store.database import FAILURES, driver_url, transaction, translate

if TYPE_CHECKING:
    from alembic.config import Config

ROOT = Path(__file__).resolve().parents[2]


def alembic_config(url: str) -> "Config":
    """Alembic's own settings are in the project file; the URL is ours."""
    from alembic.config import Config

    config = Config(toml_file=ROOT / "pyproject.toml")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = driver_url(url)
    return config


def head() -> str:
    """The revision that this code is written for: migrations are numbered, and the last one counts."""
    files = (ROOT / "migrations" / "versions").glob("[0-9]*_*.py")
    return max(file.name.partition("_")[0] for file in files)


async def current(engine: AsyncEngine) -> str | None:
    """The revision the database is at; None for an empty one. Raises `StoreUnavailable`."""
    async with transaction(engine) as connection:
        if not await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL")):
            return None
        revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


async def serves_since(engine: AsyncEngine) -> str | None:
    """The oldest revision whose code may run on this database, as it says itself; None where it does not."""
    async with transaction(engine) as connection:
        if not await connection.scalar(text("SELECT to_regproc('parley_serves_since') IS NOT NULL")):
            return None
        revision: str = await connection.scalar(text("SELECT parley_serves_since()"))
        return revision


def fits(found: str | None, wanted: str, since: str | None) -> bool:
    """May code written for revision `wanted` run on a database at `found`? Revisions are numbers of four
    digits, so their order is that of the words."""
    return found == wanted or (found is not None and since is not None and since <= wanted < found)


async def upgrade(url: str, revision: str = "head") -> None:
    """Raises `StoreError`; an unknown revision is a `RowRefused`."""
    await asyncio.to_thread(_run, "upgrade", url, revision)


async def downgrade(url: str, revision: str) -> None:
    """As `upgrade`, the other way."""
    await asyncio.to_thread(_run, "downgrade", url, revision)


def _run(verb: str, url: str, revision: str) -> None:
    from alembic import command
    from alembic.util import CommandError

    try:
        getattr(command, verb)(alembic_config(url), revision)
    except CommandError as error:
        raise RowRefused(str(error)) from error
    except FAILURES as error:
        raise translate(error) from error
