"""The composition root: settings in, a running gateway out. The only file that knows everyone.

`open_gateway` wires the rooms over the two stores (`bots/stores.py`) and takes them down again in the other
order: first nothing more is received, then running turns end or are handed back, then what is queued is
written. What its role leaves out is wired all the same and stands still.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
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
from core.gate import Gate
from core.house import House, Watch, look_away
from core.inbox import Inbox
from core.ledger import Ledger
from core.llm.models import Models
from core.llm.prices import PriceBook
from core.llm.tokens import ByteTokens
from core.observe import Metrics
from core.rows import Lease
from core.store import schema
from core.store.fence import PostgresFence
from core.store.instances import Instance
from core.store.leases import Bell
from core.turns import Turns
from core.worker import Job, Worker

__all__ = ["Gateway", "open_gateway", "released"]


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
    role, me, metrics = ROLES[settings.role], _introduce(settings.role), _metrics(settings.role)
    census = Census(me, metrics)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(
            open_stores(
                settings,
                where,
                metrics,
                name=f"parley {role.name} {me.pid}",
                working=lambda: census.working,
                on_degraded=heard_cache(metrics),
            )
        )
        guard = Guard(PostgresFence(stores.hot), stores.state, metrics)
        await guard.start()
        configs, prices = Configs(stores.records), PriceBook(from_settings.price_rows())
        models = from_settings.models(settings, word_seconds)
        stack.push_async_callback(models.close)
        channels = _channels(settings, role, me.name, stores, metrics, lambda: inbox)
        house = _house(
            settings,
            stores,
            models,
            prices,
            channels,
            configs,
            metrics,
            watch,
            lambda lease: turns.sure(lease),
        )
        bell = Bell()
        turns = _turns(settings, me.name, house, stores, channels, bell)
        inbox = _inbox(settings, role, stores, turns, metrics)
        gateway = Gateway(
            settings=settings,
            role=role,
            instance=me.name,
            stores=stores,
            metrics=metrics,
            census=census,
            turns=turns,
            channels=channels,
            models=models,
        )
        all_jobs = jobs(
            role,
            stores,
            report=gateway.report,
            configs=configs,
            metrics=metrics,
            home=settings.home.expanduser(),
            warm=lambda: warm(models, prices, on_warm),
        )
        all_jobs.append(Job(name="guard", seconds=1, run=guard.watch))
        running = [Worker(all_jobs, stores.jobs, me.name).run()]
        if role.works:
            running += [bell.listen(stores.hot), turns.run()]
        stack.push_async_callback(gateway.leave)
        stack.push_async_callback(_cancel, [asyncio.create_task(each) for each in running])
        stack.push_async_callback(gateway.drain)
        yield gateway


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


def _channels(
    settings: Settings,
    role: Role,
    instance: str,
    stores: Stores,
    metrics: Metrics,
    inbox: Callable[[], Inbox],
) -> Channels:
    return Channels(
        accounts=stores.accounts,
        accept=lambda account, messages: inbox().accept(account, messages),
        offers=[command.offer for command in commands().values()],
        instance=instance,
        metrics=metrics,
        receives=role.receives,
        receiver_seconds=min(RECEIVER_SECONDS, settings.turns.lease_seconds),
    )


def _inbox(settings: Settings, role: Role, stores: Stores, turns: Turns, metrics: Metrics) -> Inbox:
    """Only who answers, and has not been told to stop, takes the lease along with the message; what others
    accept wakes whoever answers."""
    return Inbox(
        journal=stores.journal,
        commands=commands(),
        owner=turns.owner if role.works else lambda: None,
        lease_seconds=settings.turns.lease_seconds,
        start=turns.start,
        metrics=metrics,
    )


def _house(
    settings: Settings,
    stores: Stores,
    models: Models,
    prices: PriceBook,
    channels: Channels,
    configs: Configs,
    metrics: Metrics,
    watch: Watch,
    sure: Callable[[Lease], bool],
) -> House:
    clock, tokens, ledger = SystemClock(), ByteTokens(), Ledger(prices=prices)
    gate = Gate(
        state=stores.state,
        allowed=from_settings.allowed(settings),
        message_chars=settings.limits.message_chars,
    )
    return House(
        journal=stores.journal,
        records=stores.records,
        state=stores.state,
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
        sure=sure,
    )


def _turns(
    settings: Settings, instance: str, house: House, stores: Stores, channels: Channels, bell: Bell
) -> Turns:
    return Turns(
        instance=instance,
        take=Engine(house).take,
        journal=house.journal,
        leases=stores.leases,
        records=stores.records,
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
