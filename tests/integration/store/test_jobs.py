"""Jobs that run once for all instances: held while they run, taken over from who falls silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from core.errors import StoreUnavailable
from core.store.jobs import PostgresJobs
from core.worker import Job, Worker
from tests.integration.store.ground import Instance

HOUR = 3600.0


@pytest.fixture
def jobs(one: Instance) -> PostgresJobs:
    return PostgresJobs(one.engine)


@asynccontextmanager
async def working(
    jobs: PostgresJobs,
    holder: str,
    run: Callable[[], Awaitable[None]],
    *,
    seconds: float = HOUR,
    hold: float = 9.0,
) -> AsyncIterator["asyncio.Task[None]"]:
    """An instance with this one job."""
    job = Job(name="sweep", seconds=seconds, run=run, alone=True)
    task = asyncio.create_task(Worker([job], jobs, holder, hold_seconds=hold).run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_one_at_a_time_and_not_before_it_is_due(jobs: PostgresJobs) -> None:
    assert await jobs.take("sweep", "one", hold=9, every=HOUR) is None
    assert await jobs.take("other", "two", hold=9, every=HOUR) is None
    assert 0 < (await jobs.take("sweep", "two", hold=9, every=HOUR) or 0) <= 9
    assert await jobs.keep("sweep", "one", hold=60)
    assert not await jobs.keep("sweep", "two", hold=60)
    assert 9 < (await jobs.take("sweep", "two", hold=9, every=HOUR) or 0) <= 60
    await jobs.release("sweep", "two", done=True)  # not its own: nothing happens
    assert await jobs.keep("sweep", "one", hold=60)
    await jobs.release("sweep", "one", done=True)
    assert HOUR - 60 < (await jobs.take("sweep", "two", hold=9, every=HOUR) or 0) <= HOUR
    assert await jobs.take("sweep", "two", hold=9, every=0) is None, "due again"


async def test_what_was_not_done_is_due_at_once(jobs: PostgresJobs) -> None:
    assert await jobs.take("sweep", "one", hold=60, every=HOUR) is None
    await jobs.release("sweep", "one", done=False)
    assert await jobs.take("sweep", "two", hold=60, every=HOUR) is None


async def test_the_dead_hold_nothing(jobs: PostgresJobs) -> None:
    for name in ("sweep", "count"):
        assert await jobs.take(name, "one", hold=60, every=HOUR) is None
    assert await jobs.take("mend", "two", hold=60, every=HOUR) is None
    await jobs.end(["one", "never there"])
    assert await jobs.take("sweep", "two", hold=60, every=HOUR) is None
    assert not await jobs.keep("count", "one", hold=60)
    assert await jobs.keep("mend", "two", hold=60)


async def test_two_instances_never_run_it_at_once(jobs: PostgresJobs, two: Instance) -> None:
    ran: asyncio.Queue[str] = asyncio.Queue()
    running: list[str] = []

    def sweep(name: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            running.append(name)
            await one_look()  # long enough for the other to have run, were it allowed to
            await ran.put(name if running == [name] else f"{running} at once")
            running.remove(name)

        return run

    async def one_look() -> None:
        await jobs.take("sweep", "somebody", hold=9, every=HOUR)

    async with (
        working(jobs, "one", sweep("one"), seconds=0.01, hold=5),
        working(PostgresJobs(two.engine), "two", sweep("two"), seconds=0.01, hold=5),
    ):
        assert {await ran.get() for _ in range(20)} <= {"one", "two"}


async def test_a_silent_holder_is_replaced_and_a_live_one_is_not(jobs: PostgresJobs) -> None:
    """The first holder is dead: it never prolongs. The second prolongs, and keeps it for many holds."""
    assert await jobs.take("sweep", "dead", hold=0.3, every=HOUR) is None
    began, prolonged, ran_too = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def long() -> None:
        began.set()
        await prolonged.wait()

    async def never() -> None:
        ran_too.set()

    async with working(jobs, "one", long, hold=1.5):
        await began.wait()
        async with working(jobs, "two", never, hold=1.5):
            rest = await jobs.take("sweep", "three", hold=1.5, every=HOUR)
            assert rest is not None
            await asyncio.sleep(rest)  # it would be over now, had it not been prolonged
            assert await jobs.take("sweep", "three", hold=1.5, every=HOUR) is not None
            assert not ran_too.is_set()
            prolonged.set()
    assert not ran_too.is_set(), "it was done, and is due in an hour"


async def test_a_stopping_holder_gives_it_back_undone(jobs: PostgresJobs) -> None:
    began, taken_over = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        await asyncio.Event().wait()

    async def short() -> None:
        taken_over.set()

    async with working(jobs, "one", endless, hold=60):
        await began.wait()
    async with working(jobs, "two", short, hold=60):
        await taken_over.wait()


async def test_a_lost_job_is_broken_off(jobs: PostgresJobs) -> None:
    began, broken = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            broken.set()

    async with working(jobs, "one", endless, hold=0.3):
        await began.wait()
        await jobs.end(["one"])  # as who thinks it dead does, when it was only frozen
        assert await jobs.take("sweep", "two", hold=60, every=HOUR) is None
        await broken.wait()
    assert await jobs.keep("sweep", "two", hold=60), "what the other holds is the other's"


async def test_a_job_that_fails_has_its_next_time_and_stops_no_other(jobs: PostgresJobs) -> None:
    tries: asyncio.Queue[str] = asyncio.Queue()

    def failing(error: Exception) -> Callable[[], Awaitable[None]]:
        async def fail() -> None:
            await tries.put(type(error).__name__)
            raise error

        return fail

    some = [
        Job(name="a", seconds=0.05, run=failing(StoreUnavailable("away")), alone=True),
        Job(name="b", seconds=0.05, run=failing(KeyError("a fault of ours"))),
    ]
    task = asyncio.create_task(Worker(some, jobs, "one").run())
    seen = [await tries.get() for _ in range(6)]
    while seen.count("StoreUnavailable") < 2 or seen.count("KeyError") < 2:
        seen.append(await tries.get())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
