"""The guard of a gateway: who notices that a database went back, and how an operator hears of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import LogCapture

from bots.fence import Guard, probe
from core.errors import LeaseLost, StoreError
from core.observe import Metrics
from core.state.redis_state import RedisState, open_state
from core.store import schema
from core.store.fence import PostgresFence
from core.store.leases import open_leases
from tests.integration.state.talk import PATIENT
from tests.integration.store.ground import Instance, begin, open_instance, turn_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A gateway's guard, and the gauge that it sets."""

    guard: Guard
    metrics: Metrics

    async def watch(self) -> None:
        await self.guard.watch()

    @property
    def fenced(self) -> float | None:
        return self.metrics.registry.get_sample_value("parley_fenced")


Start = Callable[..., Awaitable[Started]]
BACK = "UPDATE identity SET beat = beat - 500"


@pytest.fixture
async def one(database_url: str) -> AsyncIterator[Instance]:
    async with open_instance(database_url) as instance:
        yield instance


@pytest.fixture
async def state(redis_url: str) -> AsyncIterator[RedisState]:
    async with open_state(redis_url, PATIENT) as state:
        yield state


@pytest.fixture
def start(one: Instance, state: RedisState) -> Start:
    """A gateway begins."""

    async def start(*, private: bool = False) -> Started:
        metrics = Metrics(CollectorRegistry())
        guard = Guard(PostgresFence(one.engine), state, metrics, private=private)
        await guard.start()
        return Started(guard=guard, metrics=metrics)

    return start


@pytest.fixture
def log() -> Iterator[LogCapture]:
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[capture])
    yield capture
    structlog.configure(processors=before)


async def test_a_quiet_life_raises_nothing(one: Instance, start: Start) -> None:
    first = await start()
    second = await start()
    for _ in range(3):
        await first.watch()
        await second.watch()
    third = await start()
    assert [guard.fenced for guard in (first, second, third)] == [0, 0, 0]
    assert await one.one("SELECT beat FROM identity") == 9


async def test_redis_knows_that_the_last_seconds_are_missing(one: Instance, start: Start) -> None:
    """Every gateway was down when the database went back by 500 seconds."""
    first = await start()
    await one.rows("UPDATE identity SET beat = 600")
    await first.watch()
    await one.rows(BACK)
    second = await start()
    assert second.fenced == 1
    assert "is at beat 102, but was at 601 before" in await one.one("SELECT reason FROM fences")


async def test_without_redis_a_running_gateway_knows(
    one: Instance, start: Start, redis_url: str, state: RedisState
) -> None:
    """And all the others follow at their next beat; it is raised once."""
    first, second = await start(), await start()
    await one.rows("UPDATE identity SET beat = 600")
    await first.watch()
    await second.watch()
    await one.rows(BACK)
    await wipe(redis_url)
    await first.watch()
    await second.watch()
    assert (first.fenced, second.fenced) == (1, 1)
    assert await one.one("SELECT count(*) FROM fences") == 1
    assert (await start()).fenced == 1
    await PostgresFence(one.engine).lift("uncertain")
    await first.watch()
    await second.watch()
    assert (first.fenced, second.fenced) == (0, 0)
    assert (await start()).fenced == 0


async def wipe(redis_url: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(redis_url) as redis:
        await redis.flushall()


async def test_redis_may_be_wiped_at_any_moment(one: Instance, start: Start, redis_url: str) -> None:
    first = await start()
    await wipe(redis_url)
    await first.watch()
    await wipe(redis_url)
    assert (await start()).fenced == 0
    await first.watch()
    assert first.fenced == 0


async def test_the_log_says_it_once_with_the_reason_and_what_to_do(
    one: Instance, start: Start, log: LogCapture
) -> None:
    guard, fence = await start(), PostgresFence(one.engine)
    await fence.put_up("a trial")
    await guard.watch()
    await guard.watch()
    (line,) = [entry for entry in log.entries if entry["log_level"] == "error"]
    assert line["event"].startswith("fenced: ")
    assert line["reason"] == "a trial"
    assert "`parley fence lift`" in line["mend"]
    await fence.lift("resume")
    await guard.watch()
    await guard.watch()
    assert [entry["event"] for entry in log.entries[1:]] == ["the fence is lifted: work goes on"]


@pytest.mark.parametrize("private", [False, True])
async def test_files_that_changed_are_vouched_for_by_a_redis_of_its_own_only(
    one: Instance, start: Start, private: bool
) -> None:
    await start(private=private)
    await one.rows("UPDATE identity SET fingerprint = regexp_replace(fingerprint, '[^/]*$', '1')")
    await start(private=private)
    standing = await PostgresFence(one.engine).standing()
    assert (standing is not None) is private


async def test_the_doctor_looks_at_it(one: Instance, database_url: str) -> None:
    fence = PostgresFence(one.engine)
    look = probe(fence)
    (well,) = await look()
    assert (well.name, well.state, well.detail) == ("fence", "ok", "none stands")
    await fence.put_up("a trial")
    (ill,) = await look()
    assert (ill.state, ill.detail.endswith("UTC: a trial")) == ("failed", True)
    assert "`parley fence status`" in ill.mend
    await schema.downgrade(database_url, "0001")
    assert await look() == []


async def test_what_was_claimed_before_anybody_knew_is_lost_with_the_fence(
    one: Instance, start: Start
) -> None:
    guard = (await start()).guard
    work = await one.work()
    await one.rows(BACK)
    await guard.watch()
    with pytest.raises(LeaseLost):
        await one.journal.write(begin(work, turn_of(work)))


async def test_a_database_that_was_away_is_not_trusted_before_the_next_beat(
    one: Instance, start: Start
) -> None:
    guard = (await start()).guard
    assert guard.trusted()
    guard.doubt()
    assert not guard.trusted()
    await guard.watch()
    assert guard.trusted()
    await one.rows("ALTER TABLE identity RENAME TO elsewhere")
    with pytest.raises(StoreError):
        await guard.watch()
    assert not guard.trusted()
    await one.rows("ALTER TABLE elsewhere RENAME TO identity")
    await guard.watch()
    assert guard.trusted()


async def test_nothing_is_claimed_of_a_database_that_was_put_back_under_a_running_gateway(
    one: Instance, start: Start
) -> None:
    """In one transaction, so that no connection is lost, and between two beats."""
    gateway = await start()
    await one.accept("waits", owns=False)
    async with open_leases(one.engine, 30.0, seen=gateway.guard.seen) as leases:
        await one.rows(BACK)
        assert await leases.claim("one", [one.account.id], 10) == []
        await gateway.watch()
        assert gateway.fenced == 1
        await one.rows("UPDATE fences SET lifted_at = now(), lifted_as = 'resume'")
        assert len(await leases.claim("one", [one.account.id], 10)) == 1


async def test_nothing_is_claimed_of_a_copy_either(one: Instance, start: Start) -> None:
    gateway = await start()
    await one.accept("waits", owns=False)
    async with open_leases(one.engine, 30.0, seen=gateway.guard.seen) as leases:
        await one.rows("UPDATE identity SET deployment = gen_random_uuid(), beat = beat + 100")
        assert await leases.claim("one", [one.account.id], 10) == []


async def test_a_database_that_did_not_answer_is_not_trusted_before_the_next_beat(
    one: Instance, start: Start
) -> None:
    gateway = await start()
    async with open_leases(one.engine, 30.0, on_lost=gateway.guard.doubt) as leases:
        assert await leases.owners() == []
        await one.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(StoreError):
            await leases.owners()
    assert not gateway.guard.trusted()
    await gateway.watch()
    assert gateway.guard.trusted()
