"""The composition root: settings in, a running gateway out. The only file that knows everyone.

`open_gateway` wires the rooms over the two stores (`bots/stores.py`) and takes them down again in the other
order: first nothing more is received, then running turns end or are handed back, then what is queued is
written. What its role leaves out is wired all the same and stands still.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector

from bots import from_settings
from bots.channels import RECEIVER_SECONDS, Channels
from bots.clock import SystemClock
from bots.fence import Guard
from bots.gateway import Gateway
from bots.instance import name_instance
from bots.roles import ROLES, Role
from bots.stores import Addresses, Stores, open_stores
from bots.upkeep import Census, Configs, heard_cache, jobs, warm
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
from core.observe import Metrics
from core.store import schema
from core.store.fence import PostgresFence
from core.store.instances import Instance
from core.store.leases import Bell
from core.tenure import Tenure
from core.turns import Turns
from core.worker import Job, Worker

__all__ = ["Gateway", "open_gateway", "released"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What every room of one gateway stands on."""

    settings: Settings
    role: Role
    me: Instance
    metrics: Metrics
    census: Census
    stores: Stores
    guard: Guard
    clock: SystemClock
    configs: Configs
    models: Models
    prices: PriceBook
    bell: Bell


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
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(_open_ground(settings, where, word_seconds))
        channels = _channels(ground, lambda: inbox)
        tenure = Tenure(ground.me.name, ground.stores.leases, settings.turns.lease_seconds)
        house = _house(ground, channels, watch, tenure)
        turns = _turns(ground, house, channels, tenure)
        inbox = _inbox(ground, turns)
        gateway = Gateway(
            settings=settings,
            role=ground.role,
            instance=ground.me.name,
            stores=ground.stores,
            metrics=ground.metrics,
            census=ground.census,
            turns=turns,
            channels=channels,
            models=ground.models,
        )
        with suppress(StoreError):  # it puts the clock right before anything is judged by its age
            await gateway.report()
        running = [Worker(_jobs(ground, gateway, on_warm), ground.stores.jobs, ground.me.name).run()]
        if ground.role.works:
            running += [ground.bell.listen(ground.stores.hot), turns.run()]
        stack.push_async_callback(gateway.leave)
        stack.push_async_callback(house.afterwards.close)
        stack.push_async_callback(_cancel, [asyncio.create_task(each) for each in running])
        stack.push_async_callback(gateway.drain)
        yield gateway


@asynccontextmanager
async def _open_ground(settings: Settings, where: Addresses, word_seconds: float) -> AsyncIterator[_Ground]:
    role, me, metrics = ROLES[settings.role], _introduce(settings.role), _metrics(settings.role)
    clock, models = SystemClock(), from_settings.models(settings, word_seconds)
    census = Census(me, metrics, clock)
    async with open_stores(
        settings,
        where,
        metrics,
        name=f"parley {role.name} {me.pid}",
        working=lambda: census.working,
        on_degraded=heard_cache(metrics),
        seen=lambda: guard.seen(),
        on_lost=lambda: guard.doubt(),
    ) as stores:
        guard = Guard(PostgresFence(stores.hot), stores.state, metrics, private=where.is_embedded)
        await guard.start()
        try:
            yield _Ground(
                settings=settings,
                role=role,
                me=me,
                metrics=metrics,
                clock=clock,
                census=census,
                stores=stores,
                guard=guard,
                configs=Configs(stores.records),
                models=models,
                prices=PriceBook(from_settings.price_rows()),
                bell=Bell(),
            )
        finally:
            await models.close()


def _introduce(role: str) -> Instance:
    return Instance(
        name=name_instance(),
        host=socket.gethostname(),
        pid=os.getpid(),
        role=role,
        version=released(),
        revision=schema.head(),
        started_at=datetime.now(UTC),
    )


def _metrics(role: str) -> Metrics:
    metrics = Metrics(CollectorRegistry())
    metrics.info.labels(version=released(), role=role).set(1)
    ProcessCollector(registry=metrics.registry)
    return metrics


def _channels(ground: _Ground, inbox: Callable[[], Inbox]) -> Channels:
    return Channels(
        accounts=ground.stores.accounts,
        accept=lambda account, messages: inbox().accept(account, messages),
        offers=[command.offer for command in commands().values()],
        instance=ground.me.name,
        metrics=ground.metrics,
        receives=ground.role.receives,
        receiver_seconds=min(RECEIVER_SECONDS, ground.settings.turns.lease_seconds),
    )


def _house(ground: _Ground, channels: Channels, watch: Watch, tenure: Tenure) -> House:
    settings, stores = ground.settings, ground.stores
    clock, tokens, ledger = ground.clock, ByteTokens(), Ledger(prices=ground.prices)
    gate = Gate(
        state=stores.state,
        allowed=from_settings.allowed(settings),
        message_chars=settings.limits.message_chars,
    )
    answering = Answering(
        model=ground.models, ledger=ledger, tokens=tokens, clock=clock, metrics=ground.metrics
    )
    return House(
        journal=stores.journal,
        records=stores.records,
        state=stores.state,
        gate=gate,
        answering=answering,
        ledger=ledger,
        tokens=tokens,
        commands=commands(),
        channel=channels.adapter,
        configs=lambda: ground.configs.rows,
        defaults=from_settings.defaults(settings),
        offered=settings.offered_models,
        clock=clock,
        metrics=ground.metrics,
        rules=from_settings.rules(settings),
        watch=watch,
        sure=tenure.sure,
        prove=tenure.prove,
    )


def _turns(ground: _Ground, house: House, channels: Channels, tenure: Tenure) -> Turns:
    rules = ground.settings.turns
    return Turns(
        instance=ground.me.name,
        take=Engine(house).take,
        journal=house.journal,
        tenure=tenure,
        records=ground.stores.records,
        accounts=channels.accounts,
        allowed=house.gate.allowed,
        woken=ground.bell.woken,
        stops=ground.bell.stops,
        metrics=house.metrics,
        concurrency=rules.concurrency,
        lease_seconds=rules.lease_seconds,
        poll_seconds=rules.poll_seconds,
        trusted=ground.guard.trusted,
    )


def _inbox(ground: _Ground, turns: Turns) -> Inbox:
    """Only who answers, and has not been told to stop, takes the lease along with the message; what others
    accept wakes whoever answers."""
    return Inbox(
        journal=ground.stores.journal,
        commands=commands(),
        offer=turns.offer if ground.role.works else lambda: None,
        answered=turns.answered,
        lease_seconds=ground.settings.turns.lease_seconds,
        start=turns.start,
        metrics=ground.metrics,
    )


def _jobs(ground: _Ground, gateway: Gateway, on_warm: Callable[[], None]) -> list[Job]:
    usual = jobs(
        ground.role,
        ground.stores,
        report=gateway.report,
        configs=ground.configs,
        metrics=ground.metrics,
        home=ground.settings.home.expanduser(),
        warm=lambda: warm(ground.models, ground.prices, on_warm),
    )
    return [*usual, Job(name="guard", seconds=1, run=ground.guard.watch)]


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def released() -> str:
    """The version of this distribution."""
    return version("parley-gateway")
