"""What a running gateway does for itself now and then, beside the turns. When, is said in `bots/app.py`."""

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.instance import dead_siblings
from core.llm.models import Models
from core.llm.prices import PriceBook
from core.observe import Metrics
from core.rows import ChannelConfig
from core.store.health import check_pool
from core.store.leases import PostgresLeases
from core.store.records import PostgresRecords

log = structlog.get_logger(__name__)


class Census:
    """How many gateways share the two stores: limits are shared out among them while Redis is away."""

    def __init__(self, records: PostgresRecords) -> None:
        self._records = records
        self.instances = 1

    async def take(self) -> None:
        self.instances = await self._records.instances()


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


async def end_dead(leases: PostgresLeases) -> None:
    """Work of a process of this machine that was killed need not wait for its lease to run out."""
    if dead := dead_siblings(await leases.owners()):
        log.warning("an instance of this machine has died", instances=dead)
        await leases.end(dead)


async def warm(models: Models, prices: PriceBook, on_warm: Callable[[], None]) -> None:
    """Import what the first call will need beside the event loop; the script needs none of it."""
    if models.connected:
        await models.warm()
        await asyncio.to_thread(prices.warm)
    on_warm()
