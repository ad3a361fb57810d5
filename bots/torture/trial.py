"""One trial from end to end: servers, simulators and gateway processes up, the crowd speaks, processes
die, it grows quiet, everybody stops, and what is left is judged.

Whatever is started here is ended here, on Ctrl-C too.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.simulators.model import ModelSimulator
from bots.torture.checker import check
from bots.torture.crowd import Answerer, Crowd
from bots.torture.evidence import gather
from bots.torture.instances import Instance, gateway_environment
from bots.torture.plan import Plan
from bots.torture.platforms import KNOWN, Platform
from bots.torture.recovery import Recovery
from bots.torture.report import Report
from core.embedded import embedded_pair
from core.store import schema
from core.store.database import open_engine

PATIENCE = 20.0
"""Seconds without any progress after which a trial counts as quiet, with whatever is open then."""
LOOK_SECONDS = 0.1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that is up during a trial."""

    platforms: Mapping[str, Platform]
    model: ModelSimulator
    engine: AsyncEngine
    instances: tuple[Instance, ...]

    def somebody_ready(self) -> bool:
        return any(instance.ready for instance in self.instances)

    async def all_ready(self) -> None:
        """Return when each instance hears what is said on each platform; a log tells when it begins to."""
        await asyncio.gather(*(instance.until_ready() for instance in self.instances))
        async with asyncio.timeout(PATIENCE):
            while any(each.listeners() < len(self.instances) for each in self.platforms.values()):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_SECONDS)

    async def delivered(self) -> None:
        """Return when no platform brings anything any more, or too long still does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(each.delivered() for each in self.platforms.values()))

    async def stop(self) -> list[int]:
        """Ask all instances to end; their exit codes, and those of instances that crashed before."""
        codes = await asyncio.gather(*(instance.stop() for instance in self.instances))
        return [*codes, *(code for instance in self.instances for code in instance.crashes)]


async def endure(plan: Plan, say: Say, home: Path | None = None) -> Report:
    """Run the plan; `say` gets a line for people at each stage. `home` keeps logs and data afterwards."""
    async with open_scene(plan, say, home) as scene:
        crowd = Crowd(scene.platforms)
        answerer = Answerer(scene.model, plan.seed)
        scene.model.answer = answerer
        if plan.redeliver:
            for platform in scene.platforms.values():
                platform.redeliver(plan.redeliver, plan.seed)
        recovery = Recovery(scene.engine, scene.somebody_ready)
        where = ", ".join(plan.channels)
        say(f"{plan.users} users say {plan.messages} messages on {where}, {plan.kills} kills")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await _play(plan, scene, crowd, recovery)
        await scene.delivered()
        seconds = loop.time() - begun
        say("quiet; stopping the instances")
        exits = await scene.stop()
        evidence = await gather(
            scene.engine,
            crowd.said,
            [shown for platform in scene.platforms.values() for shown in platform.shown()],
            answerer.prompts,
            scene.model.calls,
            kills=plan.kills,
            exits=exits,
        )
    return Report(plan=plan, verdict=check(evidence), recovery=tuple(recovery.seconds), seconds=seconds)


@asynccontextmanager
async def open_scene(plan: Plan, say: Say, home: Path | None) -> AsyncIterator[Scene]:
    """Durable servers (fsync on), the simulators, and every instance ready."""
    async with AsyncExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-torture-")))
        pair = await stack.enter_async_context(embedded_pair(folder / "pair", say=say))
        assert pair.database_url is not None
        assert pair.redis_url is not None
        await schema.upgrade(pair.database_url)
        engine = open_engine(pair.database_url)
        stack.push_async_callback(engine.dispose)
        platforms: dict[str, Platform] = {}
        for name in plan.channels:
            platform = KNOWN[name]()
            await stack.enter_async_context(platform.simulator)
            platforms[name] = platform
        model = await stack.enter_async_context(ModelSimulator())
        environment = gateway_environment(
            [platform.environment for platform in platforms.values()],
            model=model.url,
            database=pair.database_url,
            redis=pair.redis_url,
            lease=plan.lease,
        )
        instances = tuple(
            Instance(folder / f"i{n}", environment, plan.channels) for n in range(1, plan.instances + 1)
        )
        for instance in instances:
            stack.push_async_callback(instance.kill)
            await instance.start()
        scene = Scene(platforms=platforms, model=model, engine=engine, instances=instances)
        await scene.all_ready()
        say(f"{plan.instances} instances are ready")
        yield scene


async def _play(plan: Plan, scene: Scene, crowd: Crowd, recovery: Recovery) -> None:
    """Both acts of the plan; returns when it is quiet."""
    before, meanwhile = plan.acts()
    await crowd.speak(before, at_once=True)
    await _until_quiet(scene.engine, len(before))
    async with asyncio.TaskGroup() as group:
        group.create_task(crowd.speak(meanwhile), name="crowd")
        group.create_task(_strike(plan, scene, recovery), name="kills")
    await scene.all_ready()
    await _until_quiet(scene.engine, plan.messages)


async def _strike(plan: Plan, scene: Scene, recovery: Recovery) -> None:
    """Kill at the planned moments and start again at once; what the dead held is watched meanwhile."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as watching:
        for strike in plan.strikes():
            await asyncio.sleep(max(0.0, start + strike.at - loop.time()))
            victim = scene.instances[int(strike.draw * len(scene.instances))]
            pid = victim.pid
            await victim.kill()
            if pid is not None:
                watching.create_task(recovery.watch(pid), name=f"recovery of {pid}")
            await victim.start()


async def _until_quiet(engine: AsyncEngine, messages: int) -> None:
    """Every message is done, or nothing has moved for long."""
    loop = asyncio.get_running_loop()
    before, moved_at = "", loop.time()
    while loop.time() - moved_at < PATIENCE:
        async with engine.connect() as connection:
            progress = text(
                "SELECT count(*) FILTER (WHERE state = 'done'), count(*), sum(attempts),"
                " (SELECT count(*) FROM model_calls) FROM inbox"
            )
            done, *rest = (await connection.execute(progress)).one()
        if done >= messages:
            return
        if (now := f"{done} {rest}") != before:
            before, moved_at = now, loop.time()
        await asyncio.sleep(LOOK_SECONDS)
