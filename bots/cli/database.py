"""The database that is set, or the private one, for verbs that look into it or write to it beside whatever
gateway runs."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from bots.stores import addresses, open_engine_of, prepare_schema
from config.settings import load


@asynccontextmanager
async def open_database() -> AsyncIterator[AsyncEngine]:
    """Fit for this version. Raises `SettingsError`, `StoreError`, `SchemaIsOld` and `SchemaIsNew`."""
    settings = load()
    async with (
        addresses(settings, lambda line: print(line, file=sys.stderr)) as where,
        open_engine_of(settings, where.database_url) as engine,
    ):
        await prepare_schema(engine, where)
        yield engine
