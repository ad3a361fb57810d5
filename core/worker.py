"""Background jobs: small things that must happen now and then, each on its own clock.

A job that fails is logged and tried again at its next time; it never takes another one with it. Jobs
that must run in one instance only take their lock in Postgres themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from core.errors import ParleyError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`run` at once and then every `seconds`."""

    name: str
    seconds: float
    run: Callable[[], Awaitable[None]]


async def work(jobs: Sequence[Job]) -> None:
    """Run all jobs until cancelled."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_repeat(job), name=f"job {job.name}")


async def _repeat(job: Job) -> None:
    while True:
        try:
            await job.run()
        except ParleyError as error:
            log.warning("job failed", job=job.name, error=str(error))
        except Exception:
            log.exception("job failed", job=job.name)
        await asyncio.sleep(job.seconds)
