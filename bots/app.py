"""The composition root: settings in, a running gateway out. The only file that knows everyone.

`open_gateway` wires the rooms over the two stores (`bots/stores.py`) and takes them down again in the other
order: first nothing more is received, then running turns end or are handed back, then what is queued is
written.
"""

import asyncio
import hashlib
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
from bots.instance import name_instance
from bots.stores import Addresses, model_probe, open_engine_of, prepare_schema, store_probes
from bots.upkeep import Census, Configs, end_dead, heard_cache, warm, watch_pool
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
from core.ports import Journal
from core.state.redis_state import RedisState, open_state
from core.store.accounts import PostgresAccounts
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
    settings: Settings,
    where: Addresses,
    *,
    watch: Watch = look_away,
    word_seconds: float = 0.0,
    on_warm: Callable[[], None] = lambda: None,
) -> AsyncIterator[Gateway]:
    """Everything but the channels, which the caller runs with `gateway.channels.run(adapter)`. Leaving
    ends turns within `turns.drain_seconds`. `watch` is told of every step of every turn, `word_seconds`
    is the script's pause after each word, `on_warm` is called when all that turns need is loaded."""
    instance, metrics = name_instance(), Metrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        name = f"parley {hashlib.sha256(instance.encode()).hexdigest()[:12]}"
        engine = await stack.enter_async_context(open_engine_of(settings, where.database_url, name))
        await prepare_schema(engine, where)
        records, bell = PostgresRecords(engine), Bell()
        census, configs = Census(records), Configs(records)
        state = await stack.enter_async_context(
            open_state(
                where.redis_url,
                from_settings.terms(settings),
                instances=lambda: census.instances,
                on_degraded=heard_cache(metrics),
            )
        )
        journal = await stack.enter_async_context(
            open_journal(
                engine,
                metrics,
                most=settings.turns.batch_max,
                room=settings.turns.queue_max,
                drain_seconds=LAST_SECONDS / 3,
            )
        )
        leases = await stack.enter_async_context(open_leases(engine, settings.turns.lease_seconds))
        models, prices = from_settings.models(settings, word_seconds), PriceBook(from_settings.price_rows())
        stack.push_async_callback(models.close)
        table = commands()
        channels = Channels(
            accounts=PostgresAccounts(engine),
            accept=lambda account, messages: inbox.accept(account, messages),
            offers=[command.offer for command in table.values()],
            instance=instance,
            metrics=metrics,
            receiver_seconds=min(RECEIVER_SECONDS, settings.turns.lease_seconds),
        )
        house = _house(settings, journal, records, state, models, prices, channels, configs, metrics, watch)
        turns = _turns(settings, instance, house, leases, records, channels, bell)
        inbox = Inbox(
            journal=journal,
            commands=table,
            owner=turns.owner,
            lease_seconds=settings.turns.lease_seconds,
            start=turns.start,
            metrics=metrics,
        )
        jobs = (
            Job(name="read configs", seconds=5, run=configs.read),
            Job(name="count instances", seconds=5, run=census.take),
            Job(name="partitions", seconds=6 * 3600, run=records.ensure_months),
            Job(name="dead siblings", seconds=2, run=lambda: end_dead(leases)),
            Job(name="watch the pool", seconds=5, run=lambda: watch_pool(engine, metrics)),
            Job(name="warm", seconds=24 * 3600, run=lambda: warm(models, prices, on_warm)),
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
            registry=metrics.registry,
            metrics=metrics,
            state=state,
            records=records,
            turns=turns,
            channels=channels,
            models=models,
        )


def _house(
    settings: Settings,
    journal: Journal,
    records: PostgresRecords,
    state: RedisState,
    models: Models,
    prices: PriceBook,
    channels: Channels,
    configs: Configs,
    metrics: Metrics,
    watch: Watch,
) -> House:
    clock, tokens, ledger = SystemClock(), ByteTokens(), Ledger(prices=prices)
    gate = Gate(
        state=state,
        allowed=from_settings.allowed(settings),
        message_chars=settings.limits.message_chars,
    )
    return House(
        journal=journal,
        records=records,
        state=state,
        gate=gate,
        answering=Answering(model=models, ledger=ledger, tokens=tokens, clock=clock, metrics=metrics),
        ledger=ledger,
        tokens=tokens,
        commands=commands(),
        channel=channels.adapter,
        configs=lambda: configs.rows,
        defaults=from_settings.defaults(settings),
        offered=settings.offered_models,
        clock=clock,
        metrics=metrics,
        rules=from_settings.rules(settings),
        watch=watch,
    )


def _turns(
    settings: Settings,
    instance: str,
    house: House,
    leases: PostgresLeases,
    records: PostgresRecords,
    channels: Channels,
    bell: Bell,
) -> Turns:
    return Turns(
        instance=instance,
        take=Engine(house).take,
        journal=house.journal,
        leases=leases,
        records=records,
        accounts=channels.accounts,
        allowed=house.gate.allowed,
        woken=bell.woken,
        stops=bell.stops,
        metrics=house.metrics,
        concurrency=settings.turns.concurrency,
        lease_seconds=settings.turns.lease_seconds,
        poll_seconds=settings.turns.poll_seconds,
    )


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def released() -> str:
    """The version of this distribution."""
    return version("parley-gateway")
