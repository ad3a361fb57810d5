"""One kill at one point, from start to verdict: people talk, the gateway dies there, the next one takes over,
people talk again, and whatever is left is judged.

Each has stores and simulators of its own, so that what is found is this kill's doing, and many can be
played side by side.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGUSR1

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.simulators.model import ModelSimulator
from bots.torture.cell import Cell, Platform, trouble
from bots.torture.checker import check
from bots.torture.crowd import Answerer, Crowd
from bots.torture.evidence import gather
from bots.torture.ground import Ground, Plot
from bots.torture.instances import gateway_environment
from bots.torture.life import Life, NotHeard, live
from bots.torture.plan import Speech
from bots.torture.platforms import KNOWN
from bots.torture.victim import COUNTS, KILL_AT, KILL_FROM, KILLED, End
from bots.torture.zygote import Zygote
from core.store import schema
from core.store.database import open_engine

LEASE = 1.0
READY = "channel up"
READY_SECONDS = 30.0
REACH_SECONDS = 20.0
QUIET_SECONDS = 45.0
LOOK_SECONDS = 0.05
NOWHERE = "http://127.0.0.1:9"
SPEAKERS = (("user0", "user0", None), ("user1", "user1", None), ("user2", "group0", "topic"))
SPREAD = 0.4
"""Seconds over which the messages of the act are said."""
DONE = "SELECT count(*) FROM inbox WHERE state = 'done'"
TAKEN = "SELECT count(*) FROM inbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one kill. `reached`: it died there, by its own hand."""

    cell: Cell
    end: End
    reached: bool
    answered: int = 0
    findings: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        return self.reached and not self.findings

    def __str__(self) -> str:
        wrong = self.findings if self.reached else ("it was never reached", *self.findings)
        return f"{self.cell.way}, {self.end}: {'; '.join(wrong) or 'the promise held'}"


async def play(cell: Cell, seed: int, ground: Ground, zygote: Zygote, folder: Path) -> Outcome:
    """Kill once there; `folder` keeps the logs."""
    random = Random(f"{seed} {cell}")
    end = cell.end(random)
    if cell.point == "B5":
        return await _migrate(cell, end, ground, zygote, folder)
    async with AsyncExitStack() as stack:
        plot = await stack.enter_async_context(ground.plot())
        platform = KNOWN[cell.way.channel]()
        await stack.enter_async_context(platform.simulator)
        platform.stand_behind(platform.simulator.url)
        model = await stack.enter_async_context(ModelSimulator())
        engine = open_engine(plot.database_url)
        stack.push_async_callback(engine.dispose)
        stage = Stage(cell, end, plot, platform, model, engine, random)
        return await stage.play(zygote, folder)


class Stage:
    """Everything that is up around the gateway of one cell."""

    def __init__(
        self,
        cell: Cell,
        end: End,
        plot: Plot,
        platform: Platform,
        model: ModelSimulator,
        engine: AsyncEngine,
        random: Random,
    ) -> None:
        self._cell, self._end, self._platform, self._model = cell, end, platform, model
        self._engine, self._random = engine, random
        self._crowd = Crowd({cell.way.channel: platform})
        self._answerer = model.answer = Answerer(model, random.randrange(1000))
        self._environment = gateway_environment(
            [platform.environment, cell.way.environment],
            model=model.url,
            database=plot.database_url,
            redis=plot.redis_url,
            lease=LEASE,
        )

    async def play(self, zygote: Zygote, folder: Path) -> Outcome:
        mortal = self._environment | {KILL_AT: str(self._end), KILL_FROM: "USR1"}
        victim = await self._open(zygote, mortal, folder, "victim")
        reached = False
        try:
            await self._prelude(victim)
            await self._act()
            reached = await victim.ended(REACH_SECONDS) == -SIGKILL and victim.last.get("event") == KILLED
        finally:
            await victim.kill()
        self._platform.simulator.faults.clear()
        successor = await self._open(zygote, self._environment, folder, "successor")
        try:
            await self._epilogue()
        finally:
            code = await successor.stop()
        return await self._judge(reached, code)

    async def _open(self, zygote: Zygote, environment: Mapping[str, str], folder: Path, name: str) -> Life:
        """A gateway that hears what is said from now on."""
        life = await live(zygote, "run", environment=environment, folder=folder, log=f"{name}.log")
        try:
            await life.logged(READY, READY_SECONDS)
            async with asyncio.timeout(READY_SECONDS):
                while not self._platform.listeners():  # noqa: ASYNC110 - the log says it a little too early
                    await asyncio.sleep(LOOK_SECONDS)
        except (NotHeard, TimeoutError):
            await life.kill()
            raise
        return life

    async def _prelude(self, victim: Life) -> None:
        """Everybody is known, since a chat that nobody knows has no history to look into; then it counts."""
        await self._speak(1, 0.0)
        await self._until_done()
        victim.signal(SIGUSR1)
        await victim.logged(COUNTS, READY_SECONDS)

    async def _act(self) -> None:
        trouble(self._cell, self._platform, self._model, self._answerer)
        if self._cell.point == "I5":
            async with asyncio.timeout(READY_SECONDS):
                while self._platform.listeners():  # noqa: ASYNC110
                    await asyncio.sleep(0)
            await self._speak(2, 0.0)
        else:
            await self._speak(2, SPREAD, called=self._cell.way.called)

    async def _epilogue(self) -> None:
        """Whatever was owed comes before the answers to these, so nothing can come later."""
        untold = self._crowd.spoken - await self._count(TAKEN) if self._cell.way.called else 0
        await self._speak(1, 0.0)
        await self._until_done(untold)
        await self._platform.delivered()

    async def _speak(self, each: int, seconds: float, *, called: bool = False) -> None:
        """Every speaker, so many times, in turn."""
        count, before = each * len(SPEAKERS), self._crowd.spoken
        moments = sorted(self._random.uniform(0, seconds) for _ in range(count))
        speeches = [self._speech(before + at, moment) for at, moment in enumerate(moments)]
        await self._crowd.speak([replace(speech, called=called) for speech in speeches])

    def _speech(self, number: int, at: float) -> Speech:
        user, chat, thread = SPEAKERS[number % len(SPEAKERS)]
        return Speech(
            number=1 + number, channel=self._cell.way.channel, user=user, chat=chat, thread=thread, at=at
        )

    async def _until_done(self, untold: int = 0) -> None:
        """As rows, or too long not: what is missing then is the checker's to say. `untold` are the commands
        that nobody took and nobody will, since a platform tells of them once."""
        loop = asyncio.get_running_loop()
        until = loop.time() + QUIET_SECONDS
        while loop.time() < until:
            if await self._count(DONE) >= self._crowd.spoken - untold:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _count(self, query: str) -> int:
        async with self._engine.connect() as connection:
            return int((await connection.execute(text(query))).scalar_one())

    async def _judge(self, reached: bool, code: int) -> Outcome:
        evidence = await gather(
            self._engine,
            self._crowd.said,
            self._platform.shown(),
            self._answerer.prompts,
            self._model.calls,
            kills=1,
            exits=[code],
        )
        verdict = check(evidence)
        return Outcome(
            cell=self._cell,
            end=self._end,
            reached=reached,
            answered=verdict.ends["answered"],
            findings=tuple(f"{finding.kind}: {finding.line}" for finding in verdict.findings),
        )


async def _migrate(cell: Cell, end: End, ground: Ground, zygote: Zygote, folder: Path) -> Outcome:
    """Killed before its commit, a migration has not been; the next one finds everything as it was."""
    async with ground.plot(empty=True) as plot:
        around = gateway_environment(
            [], model=NOWHERE, database=plot.database_url, redis=plot.redis_url, lease=LEASE
        )

        async def upgrade(log: str, **more: str) -> tuple[int, bool]:
            life = await live(zygote, "db", "upgrade", environment=around | more, folder=folder, log=log)
            code = await life.ended(READY_SECONDS)
            return code if code is not None else await life.kill(), life.last.get("event") == KILLED

        code, killed = await upgrade("victim.log", **{KILL_AT: str(end)})
        again, _ = await upgrade("successor.log")
        faults = tuple(await _schema_faults(plot, again))
    return Outcome(cell=cell, end=end, reached=killed and code == -SIGKILL, findings=faults)


async def _schema_faults(plot: Plot, code: int) -> list[str]:
    engine = open_engine(plot.database_url)
    try:
        found = await schema.current(engine)
    finally:
        await engine.dispose()
    wrong = [f"the second try ended with {code}"] if code else []
    return wrong + ([f"the schema is {found}, not {schema.head()}"] if found != schema.head() else [])
