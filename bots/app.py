"""The composition root: settings in, a running gateway out. The only file that knows everyone.

`open_gateway` wires the rooms over the two stores (`bots/stores.py`) and takes them down again in the other
order: first nothing more is received, then running turns end or are handed back, then what is queued is
written.
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
from bots.stores import Addresses, model_probe, open_engine_of, prepare_schema, store_probes
from config.settings import Settings
from core.answer import Answering
from core.commands import commands
from core.engine import Engine
from core.errors import StoreError
from core.gate import Gate
from core.house import House, Watch, look_away
from core.inbox import Inbox
from core.ledger import Ledger
from core.llm.models import Models
from core.llm.prices import PriceBook
from core.llm.tokens import ByteTokens
from core.messages import Account
from core.observe import Metrics
from core.rows import ChannelConfig
from core.state.redis_state import RedisState, open_state
from core.store.accounts import PostgresAccounts
from core.store.health import check_pool
from core.store.journal import open_journal
from core.store.leases import Bell, PostgresLeases, open_leases
from core.store.records import PostgresRecords
from core.turns import Turns
from core.worker import Job, work

log = structlog.get_logger(__name__)

LAST_SECONDS = 3.0
"""Of the time to drain, what handing back and closing the servers may take."""


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


@asynccontextmanager
async def open_gateway(
    settings: Settings, where: Addresses, *, watch: Watch = look_away, word_seconds: float = 0.0
) -> AsyncIterator[Gateway]:
    """Everything but the channels, which the caller runs with `gateway.channels.run(adapter)`. Leaving
    ends turns within `turns.drain_seconds`. `watch` is told of every step of every turn, `word_seconds`
    is the script's pause after each word."""
    instance, clock = name_instance(), SystemClock()
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine_of(settings, where.database_url))
        await prepare_schema(engine, where)
        state = await stack.enter_async_context(
            open_state(where.redis_url, from_settings.terms(settings), on_degraded=_heard_cache(metrics))
        )
        journal = await stack.enter_async_context(
            open_journal(engine, metrics, most=settings.turns.batch_max, room=settings.turns.queue_max)
        )
        leases = await stack.enter_async_context(open_leases(engine, settings.turns.lease_seconds))
        models = from_settings.models(settings, word_seconds)
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
            watch=watch,
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
            Job(name="watch the pool", seconds=5, run=lambda: _watch_pool(engine, metrics)),
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


def _heard_cache(metrics: Metrics) -> Callable[[bool], None]:
    """An operator should see in the log, too, when Redis goes and when it is back."""

    def hear(is_away: bool) -> None:
        metrics.cache_degraded.set(is_away)
        if is_away:
            log.warning("cache away: turns go on from Postgres, limits are this instance's share")
        else:
            log.info("cache back")

    return hear


async def _watch_pool(engine: AsyncEngine, metrics: Metrics) -> None:
    if pool := check_pool(engine):
        for state, connections in (
            ("active", pool.active),
            ("idle", pool.idle),
            ("waiting", pool.waiting or 0),
        ):
            metrics.db_pool.labels(state=state).set(connections)


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
