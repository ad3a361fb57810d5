"""Background jobs: small things that must happen now and then, each on its own clock.

A job that fails is logged and tried again at its next time; it never takes another one with it. A job that
must run in one instance only is held while it runs: where its holder falls silent, another takes it up.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from core.errors import ParleyError

log = structlog.get_logger(__name__)

HOLD_SECONDS = 9.0
"""A dead holder is replaced when these are over; a live one prolongs them at each third."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`run` at once and then every `seconds`: in each instance, or `alone`, once for all of them."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[None]]
    alone: bool = False


class JobLeases(Protocol):
    """Who runs a job that runs alone. All raise `StoreUnavailable`."""

    async def take(self, name: str, holder: str, *, hold: float, every: float) -> float | None:
        """None where it is due and now ours for `hold` seconds; else the seconds after which to ask again."""
        ...

    async def keep(self, name: str, holder: str, *, hold: float) -> bool:
        """Prolong; False where another has it."""
        ...

    async def release(self, name: str, holder: str, *, done: bool) -> None:
        """Give it back; `done` where it need not run again before its next time."""
        ...


class Worker:
    """The jobs of one instance, which holds by the name `holder` those that run alone."""

    def __init__(
        self, jobs: Sequence[Job], leases: JobLeases, holder: str, *, hold_seconds: float = HOLD_SECONDS
    ) -> None:
        self._jobs = jobs
        self._leases = leases
        self._holder = holder
        self._hold_seconds = hold_seconds

    async def run(self) -> None:
        """Run all jobs until cancelled; what is held then is given back."""
        async with asyncio.TaskGroup() as group:
            for job in self._jobs:
                repeat = self._take_turns if job.alone else _repeat
                group.create_task(repeat(job), name=f"job {job.name}")

    async def _take_turns(self, job: Job) -> None:
        while True:
            try:
                wait = await self._leases.take(
                    job.name, self._holder, hold=self._hold_seconds, every=job.seconds
                )
                if wait is None:
                    await self._hold(job)
                    continue
            except ParleyError as error:
                log.warning("job not looked at", job=job.name, error=str(error))
                wait = self._hold_seconds
            await asyncio.sleep(wait)

    async def _hold(self, job: Job) -> None:
        """Run it for as long as it is ours. One that failed is done too: it has its next time."""
        running = asyncio.create_task(_run(job), name=f"run {job.name}")
        keeping = asyncio.create_task(self._keep(job), name=f"keep {job.name}")
        try:
            await asyncio.wait({running, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            done = running.done()
            for task in (running, keeping):
                task.cancel()
            await asyncio.gather(running, keeping, return_exceptions=True)
            with contextlib.suppress(ParleyError):  # then its time runs out
                await self._leases.release(job.name, self._holder, done=done)

    async def _keep(self, job: Job) -> None:
        """Prolong; returns when another has it. While the store is away nobody else can take it either."""
        held = True
        while held:
            await asyncio.sleep(self._hold_seconds / 3)
            with contextlib.suppress(ParleyError):
                held = await self._leases.keep(job.name, self._holder, hold=self._hold_seconds)
        log.warning("job lost to another instance", job=job.name)


async def _repeat(job: Job) -> None:
    while True:
        await _run(job)
        await asyncio.sleep(job.seconds)


async def _run(job: Job) -> None:
    try:
        await job.run()
    except ParleyError as error:
        log.warning("job failed", job=job.name, error=str(error))
    except Exception:
        log.exception("job failed", job=job.name)
