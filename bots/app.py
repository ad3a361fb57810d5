"""The composition root: settings in, a running gateway out. The only file that knows everyone.

`addresses` gives the two stores, starting private ones where none are named; `open_gateway` wires the
rooms and takes them down again in the other order: first nothing more is received, then running turns
end or are handed back, then what is queued is written.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from bots import from_settings, probes
from bots.channels import RECEIVER_SECONDS, Channels
from bots.clock import SystemClock
from bots.health import Probe
from bots.instance import dead_siblings, name_instance
from config.settings import Settings
from core.answer import Answering
from core.commands import commands
from core.engine import Engine
from core.errors import ParleyError, StoreError
from core.gate import Gate
from core.house import House
from core.inbox import Inbox
from core.ledger import Ledger
from core.llm.models import Models
from core.llm.prices import PriceBook
from core.llm.tokens import ByteTokens
from core.messages import Account
from core.observe import Metrics
from core.rows import ChannelConfig
from core.state.redis_state import RedisState, open_state
from core.store import schema
from core.store.accounts import PostgresAccounts
from core.store.database import open_engine
from core.store.health import check_database
from core.store.journal import open_journal
from core.store.leases import Bell, PostgresLeases, open_leases
from core.store.records import PostgresRecords
from core.turns import Turns
from core.worker import Job, work

log = structlog.get_logger(__name__)

LAST_SECONDS = 3.0
"""Of the time to drain, what handing back and closing the servers may take."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running gateway: what its doors may touch."""

    settings: Settings
    instance: str
    engine: AsyncEngine
    registry: CollectorRegistry
    metrics: Metrics
    state: RedisState
    records: PostgresRecords
    turns: Turns
    channels: Channels
    models: Models

    async def settled(self, account: Account) -> None:
        """Wait until every accepted message of an account is done."""

        async def is_settled() -> bool:
            try:
                return await self.records.unanswered(account.id) == 0
            except StoreError:
                return False

        await self.turns.settled(is_settled)

    def probes(self, *, ask_model: bool) -> dict[str, Probe]:
        """What a doctor looks at, from inside a running gateway."""
        return {
            **store_probes(self.settings, self.engine, self.state),
            "channels": probes.channels(self.channels.states),
            "model": model_probe(self.settings, ask=ask_model),
        }


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


@asynccontextmanager
async def open_engine_of(settings: Settings, database_url: str) -> AsyncIterator[AsyncEngine]:
    """The pool of connections, closed at the end."""
    engine = open_engine(database_url, from_settings.pool(settings))
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


@asynccontextmanager
async def open_gateway(settings: Settings, where: Addresses) -> AsyncIterator[Gateway]:
    """Everything but the channels, which the caller runs with `gateway.channels.run(adapter)`. Leaving
    ends turns within `turns.drain_seconds`."""
    instance, clock = name_instance(), SystemClock()
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine_of(settings, where.database_url))
        await prepare_schema(engine, where)
        state = await stack.enter_async_context(
            open_state(where.redis_url, from_settings.terms(settings), on_degraded=metrics.cache_degraded.set)
        )
        journal = await stack.enter_async_context(
            open_journal(engine, metrics, most=settings.turns.batch_max, room=settings.turns.queue_max)
        )
        leases = await stack.enter_async_context(open_leases(engine, settings.turns.lease_seconds))
        models = from_settings.models(settings)
        stack.push_async_callback(models.close)
        records, bell = PostgresRecords(engine), Bell()
        prices, tokens = PriceBook(from_settings.price_rows()), ByteTokens()
        ledger, table = Ledger(prices=prices), commands()
        configs: list[ChannelConfig] = []

        async def read_configs() -> None:
            configs[:] = await records.configs()

        channels = Channels(
            accounts=PostgresAccounts(engine),
            accept=lambda account, messages: inbox.accept(account, messages),
            offers=[command.offer for command in table.values()],
            instance=instance,
            metrics=metrics,
            receiver_seconds=min(RECEIVER_SECONDS, settings.turns.lease_seconds),
        )
        house = House(
            journal=journal,
            records=records,
            state=state,
            gate=Gate(
                state=state,
                allowed=from_settings.allowed(settings),
                message_chars=settings.limits.message_chars,
            ),
            answering=Answering(model=models, ledger=ledger, tokens=tokens, clock=clock, metrics=metrics),
            ledger=ledger,
            tokens=tokens,
            commands=table,
            channel=channels.adapter,
            configs=lambda: configs,
            defaults=from_settings.defaults(settings),
            offered=settings.offered_models,
            clock=clock,
            metrics=metrics,
            rules=from_settings.rules(settings),
        )
        turns = Turns(
            instance=instance,
            take=Engine(house).take,
            journal=journal,
            leases=leases,
            records=records,
            accounts=channels.accounts,
            woken=bell.woken,
            stops=bell.stops,
            metrics=metrics,
            concurrency=settings.turns.concurrency,
            lease_seconds=settings.turns.lease_seconds,
            poll_seconds=settings.turns.poll_seconds,
        )
        inbox = Inbox(
            journal=journal,
            commands=table,
            owner=turns.owner,
            lease_seconds=settings.turns.lease_seconds,
            start=turns.start,
            metrics=metrics,
        )
        jobs = (
            Job(name="read configs", seconds=5, run=read_configs),
            Job(name="partitions", seconds=6 * 3600, run=records.ensure_months),
            Job(name="dead siblings", seconds=2, run=lambda: _end_dead(leases)),
            Job(name="warm", seconds=24 * 3600, run=lambda: _warm(models, prices)),
        )
        background = [
            asyncio.create_task(work(jobs), name="jobs"),
            asyncio.create_task(bell.listen(engine), name="bell"),
            asyncio.create_task(turns.run(), name="turns"),
        ]
        stack.push_async_callback(_cancel, background)
        stack.push_async_callback(turns.drain, max(0.0, settings.turns.drain_seconds - LAST_SECONDS))
        yield Gateway(
            settings=settings,
            instance=instance,
            engine=engine,
            registry=registry,
            metrics=metrics,
            state=state,
            records=records,
            turns=turns,
            channels=channels,
            models=models,
        )


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _end_dead(leases: PostgresLeases) -> None:
    """Work of a process of this machine that was killed need not wait for its lease to run out."""
    if dead := dead_siblings(await leases.owners()):
        log.warning("an instance of this machine has died", instances=dead)
        await leases.end(dead)


async def _warm(models: Models, prices: PriceBook) -> None:
    """Import what the first call will need beside the event loop; the script needs none of it."""
    if models.connected:
        await models.warm()
        await asyncio.to_thread(prices.warm)


def released() -> str:
    """The version of this distribution."""
    return version("parley-gateway")
