"""A whole gateway in the test's own process: real stores, real client libraries, simulated neighbours."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bots.app import Gateway, open_gateway
from bots.catalog import build_channels
from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from bots.stores import Addresses
from config.settings import Settings, load
from core.house import Watch, look_away

TOKEN = "4242:simulated-token-for-tests"

QUICK = {
    "PARLEY_ACCESS": "open",
    "PARLEY_TURNS__LEASE_SECONDS": "2",
    "PARLEY_TURNS__POLL_SECONDS": "0.05",
    "PARLEY_TELEGRAM__POLL_SECONDS": "1",
    "PARLEY_TELEGRAM__EDIT_PRIVATE_SECONDS": "0.05",
    "PARLEY_TELEGRAM__EDIT_GROUP_SECONDS": "0.05",
}


def settings_for(folder: Path, environment: Mapping[str, str]) -> Settings:
    """Settings from these variables alone: neither this machine's environment nor its files count."""
    return load(environ={"PARLEY_HOME": str(folder), **QUICK, **environment}, cwd=folder)


def environment_for(
    telegram: TelegramSimulator, model: ModelSimulator, database_url: str, redis_url: str
) -> dict[str, str]:
    """What an operator would set to point a gateway at these neighbours."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_TOKEN": TOKEN,
        "OPENAI_BASE_URL": f"{model.url}/v1",
    }


def process_environment(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """For a gateway in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME")}
    root = str(Path(__file__).parents[1])
    return {**kept, **QUICK, **environment, "PARLEY_HOME": str(home), "PYTHONPATH": root}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    telegram: TelegramSimulator
    model: ModelSimulator
    gateway: Gateway

    async def settled(self) -> None:
        """Wait until every accepted message is done."""
        await self.gateway.turns.settled(self._is_settled)

    async def _is_settled(self) -> bool:
        records = self.gateway.records
        return not any([await records.unanswered(one) for one in self.gateway.channels.accounts()])

    def answers(self, chat: str) -> list[str]:
        """What the bot has in a chat now, in order."""
        return [seen.text for seen in self.telegram.seen(chat) if seen.author == "bot"]


@asynccontextmanager
async def running_gateway(settings: Settings, watch: Watch = look_away) -> AsyncIterator[Gateway]:
    """A gateway with every channel that has credentials, receiving; `watch` is told of the steps of turns."""
    database, redis = settings.database.url, settings.redis.url
    assert database is not None
    assert redis is not None
    where = Addresses(
        database_url=database.get_secret_value(), redis_url=redis.get_secret_value(), is_embedded=False
    )
    adapters = build_channels(settings)
    async with AsyncExitStack() as stack:
        for adapter in adapters:
            stack.push_async_callback(adapter.close)  # type: ignore[attr-defined]
        gateway = await stack.enter_async_context(open_gateway(settings, where, watch=watch))
        tasks = [asyncio.create_task(gateway.channels.run(adapter)) for adapter in adapters]
        try:
            yield gateway
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def open_world(
    folder: Path,
    database_url: str,
    redis_url: str,
    environment: Mapping[str, str] | None = None,
    watch: Watch = look_away,
) -> AsyncIterator[World]:
    async with TelegramSimulator() as telegram, ModelSimulator() as model:
        around = environment_for(telegram, model, database_url, redis_url) | dict(environment or {})
        async with running_gateway(settings_for(folder, around), watch) as gateway:
            yield World(telegram=telegram, model=model, gateway=gateway)
