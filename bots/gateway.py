"""A running gateway, as its doors have it: what they may look at, and how it comes to its end.

Put together in `bots/app.py`.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine

from bots import probes
from bots.channels import Channels
from bots.health import Probe
from bots.roles import Role
from bots.stores import Stores, model_probe, store_probes
from bots.upkeep import Census
from config.settings import Settings
from core.errors import StoreError
from core.llm.models import Models
from core.messages import Account
from core.observe import Metrics
from core.state.redis_state import RedisState
from core.store.records import PostgresRecords
from core.turns import Turns

LAST_SECONDS = 3.0
"""Of the time to drain, what handing back and closing the servers may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A running gateway: what its doors may touch."""

    settings: Settings
    role: Role
    instance: str
    stores: Stores
    metrics: Metrics
    census: Census
    turns: Turns
    channels: Channels
    models: Models

    @property
    def engine(self) -> AsyncEngine:
        return self.stores.cold

    @property
    def registry(self) -> CollectorRegistry:
        return self.metrics.registry

    @property
    def state(self) -> RedisState:
        return self.stores.state

    @property
    def records(self) -> PostgresRecords:
        return self.stores.records

    async def settled(self, account: Account) -> None:
        """Wait until every accepted message of an account is done."""

        async def is_settled() -> bool:
            try:
                return await self.records.unanswered(account.id) == 0
            except StoreError:
                return False

        await self.turns.settled(is_settled)

    async def report(self) -> None:
        """Tell the others that we are here, and what we do."""
        await self.census.report(self.stores.instances, self.channels.receiving())

    async def drain(self) -> None:
        """Take no more work, tell so, and let running turns end within `turns.drain_seconds`, or hand them
        back. A second time it does nothing."""
        if self.census.draining:
            return
        self.census.draining = True
        telling = asyncio.create_task(self._tell(), name="tell of the end")
        await self.turns.drain(max(0.0, self.settings.turns.drain_seconds - LAST_SECONDS))
        await telling

    async def leave(self) -> None:
        """The last word: this instance is not there any more. Unsaid, the others find out by themselves."""
        with suppress(StoreError):
            await self.stores.instances.forget([self.instance])

    async def _tell(self) -> None:
        with suppress(StoreError):
            await self.report()

    def probes(self, *, ask_model: bool) -> dict[str, Probe]:
        """What a doctor looks at, from inside a running gateway."""
        found = {
            "instance": probes.instance(self.role.name, lambda: self.census.draining),
            **store_probes(self.settings, self.stores.cold, self.state),
            "channels": probes.channels(self.channels.states),
        }
        return found | ({"model": model_probe(self.settings, ask=ask_model)} if self.role.works else {})
