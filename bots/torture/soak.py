"""A soak: a steady load for long, a mild fault now and then, and a look at everything that could grow.

Whether nothing was lost is the trial's question; here it is only whether a gateway could go on like this for
ever. The instances are watched from outside, as an operator would: their own metrics, and the database's
statistics.
"""

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from bots.torture.crowd import Answerer, Crowd
from bots.torture.faults import Fault, LockRedis, Misbehave, PauseRedis, RestartRedis, WipeRedis, mended
from bots.torture.plan import Plan, Speech
from bots.torture.samples import Process, Sample, Soaked
from bots.torture.scene import Say, Scene, open_scene

FAULT_EVERY = 30.0
SAMPLES = 60
SAMPLE_MOST = 10.0
"""Seconds between two samples, at most; a short soak is looked at as often as a long one."""
QUIET_SECONDS = 60.0
REST_SECONDS = 30.0
"""After which idle connections are closed."""
WARM_SHARE = 0.1
RSS, FDS, TASKS = "process_resident_memory_bytes", "process_open_fds", "parley_tasks"

DONE = "SELECT count(*) FROM inbox WHERE state = 'done'"
DEAD = """
    SELECT relname, n_dead_tup FROM pg_stat_user_tables
     WHERE n_tup_ins + n_tup_upd + n_tup_del > 0"""
QUEUES = """
    SELECT (SELECT count(*) FROM inbox WHERE state <> 'done') AS inbox,
           (SELECT count(*) FROM outbox WHERE state IN ('pending', 'sending')) AS outbox,
           (SELECT count(*) FROM conversations WHERE wake_at IS NOT NULL) AS conversations,
           (SELECT count(*) FROM model_calls WHERE state = 'reserved') AS reservations"""
CLAIM = "SELECT count(*) FROM parley_claim_v1('soak', (SELECT array_agg(id) FROM accounts), 64, 1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaking:
    """How long, how much (messages a second), and by how many."""

    minutes: float
    rate: float = 40.0
    users: int = 500
    instances: int = 2
    seed: int = 1
    lease: float = 10.0

    def plan(self) -> Plan:
        return Plan(
            messages=max(1, round(self.minutes * 60 * self.rate)),
            users=self.users,
            instances=self.instances,
            seed=self.seed,
            lease=self.lease,
            minutes=self.minutes,
        )


async def soak(soaking: Soaking, say: Say, home: Path | None = None) -> Soaked:
    """Say it all, look at it all, and give what was seen."""
    plan = soaking.plan()
    # The lines between the parts are straight: what is watched is the gateways, not proxies.
    async with open_scene(replace(plan, minutes=0.0), say, home) as scene, ClientSession() as client:
        watch = Watch(scene, client)
        scene.model.answer = Answerer(scene.model, plan.seed)
        crowd, struck = Crowd(scene.platforms), Counter[str]()
        begun = time.monotonic()
        say(f"{plan.users} users say {plan.messages} messages in {soaking.minutes:g} minutes")
        every = min(SAMPLE_MOST, soaking.minutes * 60 / SAMPLES)
        warming, speeches = _parts(plan)
        await crowd.speak(warming)
        await watch.until_quiet(len(warming))
        before = await watch.at_rest()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(watch.look(every), name="samples")
            group.create_task(_disturb(scene, Random(plan.seed), struck, over), name="faults")
            await crowd.speak(speeches)
            looking.cancel()
            over.set()
        say("all is said; waiting for quiet")
        await mended(scene)
        left = await watch.until_quiet(plan.messages)
        after = await watch.at_rest()
        done, seconds = await watch.done(), time.monotonic() - begun
        exits = await scene.stop()
    return Soaked(
        said=plan.messages,
        done=done,
        seconds=seconds,
        faults=struck,
        samples=watch.samples,
        idle=(before, after),
        left=left,
        exits=exits,
    )


def _parts(plan: Plan) -> tuple[list[Speech], list[Speech]]:
    """What is said to warm up, and the rest from its own beginning."""
    until = plan.seconds * WARM_SHARE
    spoken = plan.speeches()
    rest = [replace(speech, at=speech.at - until) for speech in spoken if speech.at >= until]
    return [speech for speech in spoken if speech.at < until], rest


async def _disturb(scene: Scene, random: Random, struck: Counter[str], over: asyncio.Event) -> None:
    """What a gateway meets on any day and nobody dies of, one after another until it is over."""
    while not over.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(FAULT_EVERY):
                await over.wait()
                return
        fault = _mild(random)
        await fault.inflict(scene)
        struck[fault.kind] += 1


def _mild(random: Random) -> Fault:
    where = random.choice(("telegram", "discord", "slack", "model"))
    kinds: list[Fault] = [
        WipeRedis(),
        LockRedis(seconds=1.0),
        PauseRedis(seconds=1.0),
        RestartRedis(seconds=1.0),
        Misbehave(where=where, what="server_error", fields={"times": 3}),
        Misbehave(where=where, what="reset", fields={"times": 3}),
    ]
    return random.choice(kinds)


class Watch:
    """Looks at everything from outside. `samples` grow as it looks."""

    def __init__(self, scene: Scene, client: ClientSession) -> None:
        self.samples: list[Sample] = []
        self._scene = scene
        self._client = client
        self._begun = time.monotonic()

    async def look(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            self.samples.append(await self._sample())

    async def done(self) -> int:
        async with self._scene.engine.connect() as connection:
            return int(await connection.scalar(text(DONE)) or 0)

    async def until_quiet(self, messages: int) -> dict[str, int]:
        """What the queues hold once all is done, or after as long as that may take."""
        until = time.monotonic() + QUIET_SECONDS
        left = await self._queues()
        while (any(left.values()) or await self.done() < messages) and time.monotonic() < until:
            await asyncio.sleep(0.2)
            left = await self._queues()
        return left

    async def at_rest(self) -> dict[str, Process]:
        """The instances once nothing has been going on for a while."""
        await asyncio.sleep(REST_SECONDS)
        return await self._processes()

    async def _processes(self) -> dict[str, Process]:
        folders = self._folders()
        seen = await asyncio.gather(*(self._process(folder) for folder in folders))
        return {folder.name: process for folder, process in zip(folders, seen, strict=True)}

    async def _sample(self) -> Sample:
        return Sample(
            at=time.monotonic() - self._begun,
            done=await self.done(),
            processes=await self._processes(),
            dead=await self._dead(),
            queues=await self._queues(),
            claim_ms=await self._claim(),
        )

    def _folders(self) -> list[Path]:
        return sorted(path.parent for path in self._scene.folder.glob("i*/log"))

    async def _process(self, folder: Path) -> Process:
        address = await asyncio.to_thread(_address, folder / "log")
        async with self._client.get(f"{address}/metrics") as reply:
            told = await reply.text()
        values = {
            sample.name: sample.value
            for family in text_string_to_metric_families(told)
            for sample in family.samples
            if sample.name in (RSS, FDS, TASKS)
        }
        return Process(rss_mb=values[RSS] / 2**20, fds=int(values[FDS]), tasks=int(values[TASKS]))

    async def _queues(self) -> dict[str, int]:
        async with self._scene.engine.connect() as connection:
            return dict((await connection.execute(text(QUEUES))).mappings().one())

    async def _claim(self) -> float:
        """Milliseconds of a claim that is taken back at once."""
        async with self._scene.engine.connect() as connection:
            begun = time.perf_counter()
            await connection.execute(text(CLAIM))
            took = time.perf_counter() - begun
            await connection.rollback()
        return took * 1000

    async def _dead(self) -> dict[str, int]:
        async with self._scene.engine.connect() as connection:
            rows = (await connection.execute(text(DEAD))).all()
        return {str(table): int(dead) for table, dead in rows}


def _address(log: Path) -> str:
    """Where the newest gateway that wrote this log shows its metrics."""
    lines = (json.loads(line) for line in log.read_text(errors="replace").splitlines() if '"web"' in line)
    return [str(line["web"]) for line in lines if line.get("event") == "parley runs"][-1]
