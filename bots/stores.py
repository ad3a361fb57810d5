"""The two stores that a gateway stands on: where they are, whether they are fit, what is opened on them, and
how they feel.

Private ones are started where none are named. What runs on them is put together in `bots/app.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from bots import fence, from_settings, probes
from bots.health import Probe
from config.settings import Settings
from core.errors import ParleyError, StoreUnavailable
from core.observe import Metrics
from core.state.redis_state import RedisState, open_state
from core.store import schema
from core.store.accounts import PostgresAccounts
from core.store.database import PoolSize, open_engine
from core.store.fence import PostgresFence
from core.store.health import check_database
from core.store.instances import PostgresInstances
from core.store.jobs import PostgresJobs
from core.store.journal import PostgresJournal, open_journal
from core.store.leases import PostgresLeases, Seen, open_leases
from core.store.records import PostgresRecords

log = structlog.get_logger(__name__)

CLOSING_SECONDS = 1.0
"""What writing the rest of the journal's queue may take at the end."""


AWAY_SECONDS = 10.0
"""How long a start waits for a database that does not answer, before whoever looks after it is told."""
AWAY_PAUSE = 0.5


class SchemaIsOld(ParleyError):
    """The database is older than the revision this code is written for."""


class SchemaIsNew(ParleyError):
    """The database is newer, and serves this code no longer."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a gateway has of them. `hot` is a pool of few connections for what must never wait behind a query:
    accepting, the later commits of a turn, every lease and the bell. All else shares the `cold` one."""

    cold: AsyncEngine
    hot: AsyncEngine
    journal: PostgresJournal
    leases: PostgresLeases
    accounts: PostgresAccounts
    instances: PostgresInstances
    jobs: PostgresJobs
    records: PostgresRecords
    state: RedisState


@asynccontextmanager
async def open_stores(
    settings: Settings,
    where: Addresses,
    metrics: Metrics,
    *,
    name: str,
    working: Callable[[], int],
    on_degraded: Callable[[bool], None],
    seen: Callable[[], Seen | None],
    on_lost: Callable[[], None],
) -> AsyncIterator[Stores]:
    """Everything on both; leaving writes what is queued. `name` is how Postgres lists our connections,
    `working` how many gateways share out a limit while Redis is away; work is claimed only of the database
    that was `seen`, and `on_lost` hears when it did not answer. Raises `SchemaIsOld`, `SchemaIsNew`."""
    terms, turns = from_settings.terms(settings), settings.turns
    async with AsyncExitStack() as stack:
        cold = await stack.enter_async_context(open_engine_of(settings, where.database_url, name))
        await reached(lambda: prepare_schema(cold, where))
        few = from_settings.hot_pool(settings)
        hot = await stack.enter_async_context(open_engine_of(settings, where.database_url, name, few))
        state = open_state(where.redis_url, terms, instances=working, on_degraded=on_degraded)
        journal = open_journal(
            hot,
            metrics,
            most=turns.batch_max,
            room=turns.queue_max,
            drain_seconds=CLOSING_SECONDS,
            on_lost=on_lost,
        )
        leases = open_leases(hot, turns.lease_seconds, seen=seen, on_lost=on_lost)
        yield Stores(
            cold=cold,
            hot=hot,
            state=await stack.enter_async_context(state),
            journal=await stack.enter_async_context(journal),
            leases=await stack.enter_async_context(leases),
            accounts=PostgresAccounts(hot),
            instances=PostgresInstances(hot),
            jobs=PostgresJobs(hot),
            records=PostgresRecords(cold),
        )


@asynccontextmanager
async def open_engine_of(
    settings: Settings, database_url: str, name: str = "parley", size: PoolSize | None = None
) -> AsyncIterator[AsyncEngine]:
    """A pool of connections, closed at the end; of the size that is set, unless it is told."""
    engine = open_engine(database_url, size or from_settings.pool(settings), name)
    try:
        yield engine
    finally:
        await engine.dispose()


async def reached(call: Callable[[], Awaitable[None]], seconds: float = AWAY_SECONDS) -> None:
    """Make the call; while the database is there and takes nobody, as for moments when it restarts, say so
    and try again. Raises `StoreUnavailable` after so many seconds, and at once where nobody listens."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        try:
            return await call()
        except StoreUnavailable as error:
            if loop.time() > until or isinstance(error.__cause__, ConnectionRefusedError):
                raise
            log.warning("database away: waiting for it", error=str(error))
            await asyncio.sleep(AWAY_PAUSE)


async def prepare_schema(engine: AsyncEngine, where: Addresses) -> None:
    """A private database upgrades by itself; elsewhere an operator decides when. One that is newer will do
    as long as it says so, since two releases work beside each other. Raises `SchemaIsOld`, `SchemaIsNew`."""
    wanted, found = schema.head(), await schema.current(engine)
    if found == wanted:
        return
    if found is not None and found > wanted:
        since = await schema.serves_since(engine)
        if schema.fits(found, wanted, since):
            return
        raise SchemaIsNew(
            f"the database is at revision {found} and serves versions for {since or found} and later,"
            f" this one is for {wanted}: start a newer version"
        )
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
        "fence": fence.probe(PostgresFence(engine)),
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
