"""The demo's stage: private stores, simulated platforms and a whole gateway, all in this process.

Every message takes the real way: the platform's client library, the real Postgres and Redis, the same engine
and settings object as in `parley run`, which only points elsewhere. What is shown of it, and to whom, is left
to the page and the check. Nothing of a real account is read: no token, no key, no store of the operator's.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from bots.app import Gateway, open_gateway
from bots.demo.platforms import Platform, build_adapter, import_channels, open_platforms
from bots.stores import Addresses, addresses
from config.settings import Settings
from core.house import Watch, look_away
from core.llm.scripted_model import NAME
from core.ports import ChannelAdapter

LOOK_SECONDS = 0.02
READY_SECONDS = 30.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that is up; `asked_at` is when each channel's person spoke last, seconds since the epoch."""

    gateway: Gateway
    redis: Redis
    platforms: Mapping[str, Platform]
    asked_at: dict[str, float] = field(default_factory=dict)

    def speak(self, channel: str, text: str) -> str:
        """Let the newcomer say something there; the message's id. Raises `Refusal` and `KeyError`."""
        platform = self.platforms[channel]
        self.asked_at[channel] = time.time()
        return platform.speak(text)

    async def settled(self) -> None:
        """Wait until every accepted message is done."""

        async def is_settled() -> bool:
            records = self.gateway.records
            return not any([await records.unanswered(one) for one in self.gateway.channels.accounts()])

        await self.gateway.turns.settled(is_settled)

    def missing(self) -> dict[str, str]:
        """The channels that do not listen yet, and why."""
        states = self.gateway.channels.states()
        return {
            name: (states[name].why if name in states else "") or "still connecting"
            for name, platform in self.platforms.items()
            if name not in states or states[name].state != "up" or not platform.listening()
        }


def private(settings: Settings) -> Settings:
    """The same settings without anything real: own stores in a folder of their own, the scripted model."""
    own = settings.without_accounts()
    update: dict[str, Any] = {
        "home": settings.home.expanduser() / "demo",
        "database": own.database.model_copy(update={"url": None, "replica_url": None}),
        "redis": own.redis.model_copy(update={"url": None}),
        "model": own.model.model_copy(update={"name": NAME, "fallbacks": (), "offered": ()}),
    }
    return own.model_copy(update=update)


@asynccontextmanager
async def open_stage(
    settings: Settings,
    *,
    word_seconds: float = 0.0,
    watch: Watch = look_away,
    say: Say = lambda line: None,
    stores: Addresses | None = None,
) -> AsyncIterator[Stage]:
    """The stage with every channel listening; `settings` are already `private`, unless a test gives its own
    stores. `watch` is told of every step of every turn. Raises what starting servers raises."""
    importing = asyncio.create_task(asyncio.to_thread(import_channels))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_end, importing)
        platforms = await stack.enter_async_context(open_platforms(_run_number()))
        say("Starting a private Postgres and Valkey ...")
        if stores is None:
            stores = await stack.enter_async_context(addresses(settings, say))
        await importing
        settings, adapters = _join(settings, platforms)
        stack.push_async_callback(_close, adapters)  # outside of the gateway: its last turns still speak
        gateway = await stack.enter_async_context(
            open_gateway(settings, stores, watch=watch, word_seconds=word_seconds)
        )
        redis = Redis.from_url(stores.redis_url, decode_responses=True)
        stack.push_async_callback(redis.aclose)
        stage = Stage(gateway=gateway, redis=redis, platforms=platforms)
        tasks = [asyncio.create_task(gateway.channels.run(one), name=one.name) for one in adapters]
        stack.push_async_callback(_end, *tasks)
        say(f"Connecting {', '.join(one.name for one in adapters)} to their simulators ...")
        await _until_ready(stage)
        yield stage


def _join(settings: Settings, platforms: Mapping[str, Platform]) -> tuple[Settings, list[ChannelAdapter]]:
    for platform in platforms.values():
        settings = platform.point(settings)
    return settings, [build_adapter(name, settings) for name in platforms]


async def _until_ready(stage: Stage) -> None:
    """Nobody tells when a client library has joined its platform, so it is looked at again. A channel that
    is not there in time is left to who asks for it: the others work without it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            while stage.missing():  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)


def _run_number() -> int:
    """Another one for each run: its people and bots are new, so an old run's talk is not gone on with."""
    return int(time.time()) * 100 + secrets.randbelow(100)


async def _close(adapters: list[ChannelAdapter]) -> None:
    for adapter in adapters:
        with contextlib.suppress(Exception):
            await adapter.close()  # type: ignore[attr-defined]


async def _end(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
