"""What a running gateway does for itself now and then, beside the turns."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.clock import SystemClock
from bots.instance import dead_siblings
from bots.probes import free_bytes
from bots.roles import Role
from bots.stores import Stores
from core.llm.models import Models
from core.llm.prices import PriceBook
from core.observe import Metrics
from core.rows import ChannelConfig
from core.store.health import check_pool
from core.store.instances import Instance, PostgresInstances
from core.store.records import PostgresRecords
from core.store.retention import clear_done
from core.worker import Job

log = structlog.get_logger(__name__)

DONE_DAYS = 35
"""No platform repeats a message after so long."""
HOURS = 3600.0


def jobs(
    role: Role,
    stores: Stores,
    *,
    report: Callable[[], Awaitable[None]],
    configs: "Configs",
    metrics: Metrics,
    home: Path,
    warm: Callable[[], Awaitable[None]],
) -> list[Job]:
    """What is done when: by every gateway, and by those that answer."""
    everybody = [
        Job(name="report", seconds=2, run=report),
        Job(name="dead siblings", seconds=2, run=lambda: end_dead(stores)),
        Job(name="watch the pool", seconds=5, run=lambda: watch_pool(stores.cold, metrics)),
        Job(name="watch the disk", seconds=30, run=lambda: watch_disk(home, metrics)),
    ]
    if not role.works:
        return everybody
    return [
        *everybody,
        Job(name="read configs", seconds=5, run=configs.read),
        Job(name="partitions", seconds=6 * HOURS, run=stores.records.ensure_months, alone=True),
        Job(name="clear", seconds=6 * HOURS, run=lambda: clear_done_of(stores), alone=True),
        Job(name="warm", seconds=24 * HOURS, run=warm),
    ]


class Census:
    """Tells the other gateways that this one is there, and learns how many answer: limits are shared out
    among those while Redis is away. `draining` is set by whoever lets it end."""

    def __init__(self, me: Instance, metrics: Metrics, clock: SystemClock) -> None:
        self._me = me
        self._metrics = metrics
        self._clock = clock
        self.draining = False
        self.working = 1

    async def report(self, instances: PostgresInstances, receives: tuple[str, ...]) -> None:
        holds = int(next(iter(self._metrics.leases_held.collect())).samples[0].value)
        now = replace(self._me, draining=self.draining, holds=holds, receives=receives)
        around = await instances.report(now)
        self.working = max(1, around.working)
        if around.skew_seconds is not None:
            self._metrics.clock_skew_seconds.set(around.skew_seconds)
            self._clock.correct(around.skew_seconds)


class Configs:
    """What admins have set for channels, a few seconds old at most."""

    def __init__(self, records: PostgresRecords) -> None:
        self._records = records
        self.rows: list[ChannelConfig] = []

    async def read(self) -> None:
        self.rows = await self._records.configs()


def heard_cache(metrics: Metrics) -> Callable[[bool], None]:
    """An operator should see in the log, too, when Redis goes and when it is back."""

    def hear(is_away: bool) -> None:
        metrics.cache_degraded.set(is_away)
        if is_away:
            log.warning("cache away: turns go on from Postgres, limits are this instance's share")
        else:
            log.info("cache back")

    return hear


async def watch_pool(engine: AsyncEngine, metrics: Metrics) -> None:
    if pool := check_pool(engine):
        for state, connections in (
            ("active", pool.active),
            ("idle", pool.idle),
            ("waiting", pool.waiting or 0),
        ):
            metrics.db_pool.labels(state=state).set(connections)


async def end_dead(stores: Stores) -> None:
    """Work of a process of this machine that was killed need not wait for its lease to run out."""
    told = {seen.instance.name for seen in await stores.instances.seen()}
    if dead := dead_siblings(told.union(await stores.leases.owners())):
        log.warning("an instance of this machine has died", instances=dead)
        await stores.leases.end(dead)
        await stores.jobs.end(dead)
        await stores.instances.forget(dead)


async def clear_done_of(stores: Stores) -> None:
    before = datetime.now(UTC) - timedelta(days=DONE_DAYS)
    sent, accepted = await clear_done(stores.cold, before)
    if sent or accepted:
        log.info("done rows cleared", inbox=accepted, outbox=sent)


async def watch_disk(home: Path, metrics: Metrics) -> None:
    metrics.disk_free_bytes.set(await asyncio.to_thread(free_bytes, home))


async def warm(models: Models, prices: PriceBook, on_warm: Callable[[], None]) -> None:
    """Import what the first call will need beside the event loop; the script needs none of it."""
    if models.connected:
        await models.warm()
        await asyncio.to_thread(prices.warm)
    on_warm()
