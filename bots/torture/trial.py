"""One trial from end to end: the crowd speaks, faults strike, it grows quiet, everybody stops, and what is
left is judged.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from bots.torture import traces
from bots.torture.checker import check
from bots.torture.crowd import Answerer, Crowd
from bots.torture.evidence import Evidence, gather
from bots.torture.faults import Kill, mended
from bots.torture.plan import Plan, Speech
from bots.torture.platforms import SEND, Telegram, secrets_of
from bots.torture.report import Report
from bots.torture.scene import LOOK_SECONDS, PATIENCE, Say, Scene, open_scene
from bots.torture.storm import Blow, storm

PROGRESS_SECONDS = 15.0
TEND_SECONDS = 0.3
SETTLE_SECONDS = 10.0
"""After quiet; then nothing may be held, reserved or on its way any more."""
PROGRESS = """
    SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) AS accepted, sum(attempts) AS attempts,
           (SELECT count(*) FROM model_calls) AS calls FROM inbox"""
OPEN = """
    SELECT (SELECT count(*) FROM conversations WHERE lease_owner IS NOT NULL OR wake_at IS NOT NULL)
         + (SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending'))
         + (SELECT count(*) FROM model_calls WHERE state = 'reserved')"""


async def endure(plan: Plan, say: Say, home: Path | None = None) -> Report:
    """Run the plan; `say` gets a line for people at each stage. `home` keeps logs and data afterwards."""
    async with open_scene(plan, say, home) as scene:
        trial = Trial(plan, scene, say)
        seconds = await trial.run()
        evidence = await trial.evidence()
        say("judging")
        verdict = await asyncio.to_thread(check, evidence)
    return Report(
        plan=plan,
        verdict=verdict,
        faults=trial.struck,
        frozen=tuple(scene.frozen.hands),
        recovery=tuple(scene.recovery.seconds),
        seconds=seconds,
    )


class Trial:
    """A plan on a scene. `struck` counts the faults that were inflicted, by kind."""

    def __init__(self, plan: Plan, scene: Scene, say: Say) -> None:
        self.struck: Counter[str] = Counter()
        self._plan = plan
        self._scene = scene
        self._say = say
        self._crowd = Crowd(scene.platforms)
        self._answerer = Answerer(scene.model, plan.seed)
        self._exits: list[int] = []
        scene.model.answer = self._answerer

    async def run(self) -> float:
        """Both acts of the plan until it is quiet and everybody has stopped; how many seconds it took."""
        plan, loop = self._plan, asyncio.get_running_loop()
        begun = loop.time()
        before, meanwhile = plan.acts()
        self._redeliver()
        await self._crowd.speak(before, at_once=True)
        await self._until_quiet(len(before))
        await self._together(meanwhile)
        await self._scene.all_ready()
        await self._until_quiet(plan.messages)
        await self._scene.delivered()
        seconds = loop.time() - begun
        await self._settled()
        await self._scene.recovery.finish(plan.lease + SETTLE_SECONDS)
        self._say("quiet; stopping the instances")
        self._exits = await self._scene.stop()
        for name, platform in self._scene.platforms.items():
            traces.note_seen(self._scene.folder, name, platform.simulator.seen())
        return seconds

    async def evidence(self) -> Evidence:
        scene = self._scene
        return await gather(
            scene.engine,
            self._crowd.said,
            [shown for platform in scene.platforms.values() for shown in platform.shown()],
            self._answerer.prompts,
            scene.model.calls,
            kills=self.struck["kill"],
            exits=self._exits,
            freezes=self.struck["freeze"],
            unanswered={"telegram": self._unanswered()},
            reordered=self._scene.platforms if self._plan.minutes else (),
            secrets=secrets_of(scene.platforms.values()),
            redis_url=scene.stores.redis_url,
            logs=sorted(scene.folder.glob("i*/log")),
        )

    def _unanswered(self) -> int:
        """What Telegram did, or may have done, and whoever asked for it never heard of."""
        link, platform = self._scene.links.get("telegram"), self._scene.platforms.get("telegram")
        kept = sum(SEND.encode() in line for line in link.unanswered) if link else 0
        return kept + (platform.unanswered() if isinstance(platform, Telegram) else 0)

    def _redeliver(self) -> None:
        if self._plan.redeliver:
            for platform in self._scene.platforms.values():
                platform.redeliver(self._plan.redeliver, self._plan.seed)

    async def _together(self, speeches: Sequence[Speech]) -> None:
        """The crowd talks while the faults strike; no fault begins later than the crowd may talk."""
        plan = self._plan
        where = ", ".join(plan.channels)
        self._say(f"{plan.users} users say {plan.messages} messages on {where}, {self._threat()}")
        beside = [asyncio.create_task(each) for each in (self._tell(), self._tend())]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._crowd.speak(speeches), name="crowd")
                for name, blows in self._tracks().items():
                    group.create_task(self._strike(blows), name=name)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        await mended(self._scene)

    def _threat(self) -> str:
        plan = self._plan
        return f"{plan.minutes:g} minutes of faults" if plan.minutes else f"{plan.kills} kills"

    def _tracks(self) -> dict[str, list[Blow]]:
        plan = self._plan
        if plan.minutes:
            return storm(plan.seed, plan.seconds, plan.lease, plan.channels)
        return {"kills": [Blow(at=strike.at, fault=Kill(draw=strike.draw)) for strike in plan.strikes()]}

    async def _strike(self, blows: Sequence[Blow]) -> None:
        """One after another, each at its moment or as soon as the one before it is over."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for blow in blows:
            await asyncio.sleep(max(0.0, start + blow.at - loop.time()))
            if self._plan.minutes and loop.time() - start > self._plan.seconds:
                return
            began = traces.now()
            await blow.fault.inflict(self._scene)
            self.struck[blow.fault.kind] += 1
            traces.note_fault(self._scene.folder, blow.fault, began)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            await self._scene.tend()

    async def _tell(self) -> None:
        """A line for people every now and then, for as long as faults strike."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            done, accepted, *_ = await self._progress() or (None, None)
            said, struck = self._crowd.spoken, self.struck.total()
            self._say(
                f"{loop.time() - start:.0f} of {self._plan.seconds:.0f} s: {struck} faults,"
                f" {said} said, {accepted if accepted is not None else '?'} accepted,"
                f" {done if done is not None else '?'} done"
            )

    async def _progress(self) -> tuple[int, ...] | None:
        return await self._asked(PROGRESS)

    async def _until_quiet(self, messages: int) -> None:
        """Every message is done, or nothing has moved for long."""
        loop = asyncio.get_running_loop()
        before, moved_at = None, loop.time()
        while loop.time() - moved_at < PATIENCE:
            now = await self._progress()
            if now is not None and now[0] >= messages:
                return
            if now != before:
                before, moved_at = now, loop.time()
            await asyncio.sleep(LOOK_SECONDS)

    async def _settled(self) -> None:
        """Return when nothing is held, reserved or on its way; or after as long as that may take."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._plan.lease + SETTLE_SECONDS
        while loop.time() < until and await self._asked(OPEN) != (0,):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)

    async def _asked(self, statement: str) -> tuple[int, ...] | None:
        """The row of a statement; None while the database is away."""
        try:
            async with self._scene.engine.connect() as connection:
                return tuple((await connection.execute(text(statement))).one())
        except (SQLAlchemyError, OSError):
            return None
