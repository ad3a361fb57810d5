"""Everything that is up during a trial: stores, simulators, the lines between them, gateway processes.

Whatever is started here is ended here, on Ctrl-C too.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine

from bots.simulators.model import ModelSimulator
from bots.torture.frozen import Frozen, look_into
from bots.torture.instances import Instance, NotStarted, gateway_environment
from bots.torture.plan import Plan
from bots.torture.platforms import KNOWN, Discord, Slack, Telegram
from bots.torture.proxy import Proxy
from bots.torture.recovery import Database, Recovery
from bots.torture.servers import Stores, open_stores
from bots.torture.zygote import open_zygote
from core.embedded.postgres import DATABASE, OWNER
from core.store import schema
from core.store.database import open_engine

PATIENCE = 20.0
"""Seconds without any progress after which a trial counts as quiet, with whatever is open then."""
LOOK_SECONDS = 0.1
READY_SECONDS = 5.0
"""How long a fault waits for an instance that it can hit in the middle of its work."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`links` are the lines from the instances to everybody else, by name."""

    folder: Path
    stores: Stores
    platforms: Mapping[str, Telegram | Discord | Slack]
    model: ModelSimulator
    links: Mapping[str, Proxy]
    engine: AsyncEngine
    instances: tuple[Instance, ...]
    recovery: Recovery
    frozen: Frozen

    def able(self) -> bool:
        """Could anybody take over now? Not while Postgres or every instance is down, nor while no line leads
        to Postgres."""
        line = self.links.get("postgres")
        there = self.stores.postgres.up and not (line and line.blocked)
        return there and any(instance.ready for instance in self.instances)

    @asynccontextmanager
    async def victim(self, draw: float) -> AsyncIterator[Instance]:
        """One that nobody else does something to, for as long as entered: one that is ready where one gets so
        before long, else one that runs. `draw` in [0, 1) picks."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                while not any(each.ready for each in self._running()):  # noqa: ASYNC110 - a log tells
                    await asyncio.sleep(LOOK_SECONDS)
        while not (running := self._running()):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        chosen = [instance for instance in running if instance.ready] or running
        instance = chosen[int(draw * len(chosen))]
        async with instance.alone:
            yield instance

    def _running(self) -> list[Instance]:
        return [each for each in self.instances if each.pid is not None and not each.alone.locked()]

    async def tend(self) -> None:
        """Start what ended before it was ready."""
        for instance in self.instances:
            if not instance.alone.locked():
                async with instance.alone:
                    await instance.raise_up()

    def misbehave(self, where: str, what: str, fields: Mapping[str, float]) -> None:
        """Ask the simulator of a channel, or of the `model`, for a fault that it knows."""
        simulator = self.model if where == "model" else self.platforms[where].simulator
        simulator.fault(what, **fields)

    def behave(self) -> None:
        """No fault waits at any simulator any more."""
        for simulator in (self.model, *(platform.simulator for platform in self.platforms.values())):
            simulator.faults.clear()

    async def all_ready(self) -> None:
        """Return when each instance hears what is said on each platform; a log tells when it begins to."""
        await asyncio.gather(*(instance.until_ready() for instance in self.instances))
        try:
            async with asyncio.timeout(PATIENCE):
                while self._unheard():  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            names = ", ".join(self._unheard())
            raise NotStarted(f"not every instance listens on {names} after {PATIENCE:g} s") from None

    def _unheard(self) -> list[str]:
        """The platforms on which somebody does not listen yet."""
        everybody = len(self.instances)
        return [name for name, platform in self.platforms.items() if platform.listeners() < everybody]

    async def delivered(self) -> None:
        """Return when no platform brings anything any more, or too long still does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(each.delivered() for each in self.platforms.values()))

    async def stop(self) -> list[int]:
        """Ask all instances to end; their exit codes, and those of instances that crashed before."""
        codes = await asyncio.gather(*(instance.stop() for instance in self.instances))
        return [*codes, *(code for instance in self.instances for code in instance.crashes)]


@asynccontextmanager
async def open_scene(plan: Plan, say: Say, home: Path | None) -> AsyncIterator[Scene]:
    """The stores, the simulators, and every instance ready."""
    async with AsyncExitStack() as stack:
        folder = (home or Path(stack.enter_context(_temporary()))).absolute()
        say("setting up a private database")
        stores = await stack.enter_async_context(open_stores(folder / "pair"))
        await schema.upgrade(stores.database_url)
        engine = open_engine(stores.database_url, name="torture")
        stack.push_async_callback(engine.dispose)
        platforms = {name: KNOWN[name]() for name in plan.channels}
        for platform in platforms.values():
            await stack.enter_async_context(platform.simulator)
        model = await stack.enter_async_context(ModelSimulator())
        links = await _links(stack, stores, platforms, model) if plan.minutes else {}
        zygote = await stack.enter_async_context(open_zygote()) if plan.minutes else None
        environment = _environment(plan, links, stores, platforms, model)
        instances = tuple(
            Instance(folder / f"i{n}", environment, plan.channels, zygote)
            for n in range(1, plan.instances + 1)
        )
        scene = Scene(
            folder=folder,
            stores=stores,
            platforms=platforms,
            model=model,
            links=links,
            engine=engine,
            instances=instances,
            recovery=Recovery(Database(engine)),
            frozen=Frozen(look_into(engine), plan.lease),
        )
        scene.recovery.able = scene.able
        for instance in instances:
            stack.push_async_callback(instance.kill)
            await instance.start()
        await scene.all_ready()
        say(f"{plan.instances} instances are ready")
        yield scene


def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="parley-torture-")


async def _links(
    stack: AsyncExitStack,
    stores: Stores,
    platforms: Mapping[str, Telegram | Discord | Slack],
    model: ModelSimulator,
) -> dict[str, Proxy]:
    """A proxy before each store, each platform and the model."""
    links = {
        "postgres": Proxy(str(stores.postgres_socket)),
        "redis": Proxy(str(stores.valkey_socket)),
        "model": Proxy(*_address(model.url)),
        **{name: Proxy(*_address(platform.simulator.url)) for name, platform in platforms.items()},
    }
    for proxy in links.values():
        await stack.enter_async_context(proxy)
    for name, platform in platforms.items():
        platform.stand_behind(_front(links, name))
    return links


def _environment(
    plan: Plan,
    links: Mapping[str, Proxy],
    stores: Stores,
    platforms: Mapping[str, Telegram | Discord | Slack],
    model: ModelSimulator,
) -> dict[str, str]:
    """What an instance is told: the way through the links, where there are any."""
    return gateway_environment(
        [platform.environment for platform in platforms.values()],
        model=_front(links, "model") or model.url,
        database=_database(links) or stores.database_url,
        redis=f"redis://127.0.0.1:{links['redis'].port}/0" if links else stores.redis_url,
        lease=plan.lease,
    )


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def _front(links: Mapping[str, Proxy], name: str) -> str:
    return f"http://127.0.0.1:{links[name].port}" if links else ""


def _database(links: Mapping[str, Proxy]) -> str:
    if not links:
        return ""
    return f"postgresql+asyncpg://{OWNER}@127.0.0.1:{links['postgres'].port}/{DATABASE}"
