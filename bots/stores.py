"""The two stores that a gateway stands on: where they are, whether they are fit, and how they feel.

Private ones are started where none are named. What runs on them is put together in `bots/app.py`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from bots import from_settings, probes
from bots.health import Probe
from config.settings import Settings
from core.errors import ParleyError
from core.state.redis_state import RedisState
from core.store import schema
from core.store.database import open_engine
from core.store.health import check_database


class SchemaIsOld(ParleyError):
    """The database is not at the revision this code is written for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the two stores are, and whether they are our own private ones."""

    database_url: str
    redis_url: str
    is_embedded: bool


@asynccontextmanager
async def addresses(
    settings: Settings, say: Callable[[str], None] = lambda line: None
) -> AsyncIterator[Addresses]:
    """The addresses that are set; a private server, held while this is entered, for each that is not."""
    database, redis = settings.database.url, settings.redis.url
    given_database = database.get_secret_value() if database else None
    given_redis = redis.get_secret_value() if redis else None
    if given_database and given_redis:
        yield Addresses(database_url=given_database, redis_url=given_redis, is_embedded=False)
        return
    from core.embedded import embedded_pair

    home = settings.home.expanduser()
    async with embedded_pair(home, postgres=not given_database, valkey=not given_redis, say=say) as pair:
        yield Addresses(
            database_url=given_database or pair.database_url or "",
            redis_url=given_redis or pair.redis_url or "",
            is_embedded=not given_database,
        )


@asynccontextmanager
async def open_engine_of(
    settings: Settings, database_url: str, name: str = "parley"
) -> AsyncIterator[AsyncEngine]:
    """The pool of connections, closed at the end."""
    engine = open_engine(database_url, from_settings.pool(settings), name)
    try:
        yield engine
    finally:
        await engine.dispose()


async def prepare_schema(engine: AsyncEngine, where: Addresses) -> None:
    """A private database upgrades by itself; elsewhere an operator decides when. Raises `SchemaIsOld`."""
    wanted, found = schema.head(), await schema.current(engine)
    if found == wanted:
        return
    if not where.is_embedded:
        raise SchemaIsOld(
            f"the database is at revision {found or 'none'}, this version needs {wanted}:"
            " run `parley db upgrade` first"
        )
    await schema.upgrade(where.database_url)


def store_probes(settings: Settings, engine: AsyncEngine, state: RedisState) -> dict[str, Probe]:
    """The probes of what a gateway stands on."""
    return {
        "database": probes.database(lambda: check_database(engine, schema.head())),
        "cache": probes.cache(state.check),
        "disk": probes.disk(settings.home.expanduser()),
    }


def model_probe(settings: Settings, *, ask: bool) -> Probe:
    from bots import neighbours  # brings an HTTP client, which a talk with the script does without

    key = settings.openai.api_key
    return neighbours.model(
        settings.default_model,
        settings.openai.base_url,
        key.get_secret_value() if key else None,
        ask=ask,
    )
