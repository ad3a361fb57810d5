"""The table of instances: who is there, what each does, and how the gone disappear."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.store.instances import Instance, PostgresInstances
from tests.integration.store import ground

STARTED = datetime(2026, 11, 22, 12, tzinfo=UTC)
ONE = Instance(
    name="host/boot-1/10-1",
    host="host",
    pid=10,
    role="worker",
    version="1",
    revision="0002",
    started_at=STARTED,
)
TWO = replace(ONE, name="host/boot-1/11-2", pid=11, role="ingress", started_at=STARTED + timedelta(seconds=1))


@pytest.fixture
def instances(one: ground.Instance) -> PostgresInstances:
    return PostgresInstances(one.engine)


async def test_each_says_what_it_does_now(instances: PostgresInstances) -> None:
    around = await instances.report(ONE)
    assert around.working == 1
    assert around.skew_seconds == pytest.approx(0, abs=5), "one machine, one clock"
    assert (await instances.report(replace(TWO, receives=("slack", "telegram")))).working == 1
    later = replace(ONE, draining=True, holds=3)
    assert (await instances.report(later)).working == 1
    assert [seen.instance for seen in await instances.seen()] == [
        later,
        replace(TWO, receives=("slack", "telegram")),
    ]
    assert all(0 <= seen.silent_seconds < 30 for seen in await instances.seen())
    third = replace(ONE, name="host/boot-1/12-3", role="all")
    assert (await instances.report(third)).working == 2
    await instances.forget([ONE.name, "never there"])
    assert {seen.instance.name for seen in await instances.seen()} == {TWO.name, third.name}


async def test_the_silent_stop_counting_and_are_forgotten_at_last(
    instances: PostgresInstances, one: ground.Instance
) -> None:
    await instances.report(ONE)
    other = replace(ONE, name="other")
    await instances.report(other)
    await one.rows(
        "UPDATE instances SET seen_at = seen_at - interval '20 s' WHERE name = :name", name=ONE.name
    )
    assert (await instances.report(other)).working == 1
    shown = {seen.instance.name: seen.silent_seconds for seen in await instances.seen()}
    assert shown[ONE.name] >= 20
    await one.rows(
        "UPDATE instances SET seen_at = seen_at - interval '1 h' WHERE name = :name", name=ONE.name
    )
    await instances.report(other)
    assert [seen.instance for seen in await instances.seen()] == [other]
    assert (await instances.report(ONE)).working == 2, "it was only frozen"


async def test_a_clock_that_is_wrong_is_told(one: ground.Instance) -> None:
    ahead = PostgresInstances(one.engine, now=lambda: datetime.now(UTC) + timedelta(minutes=5))
    around = await ahead.report(ONE)
    assert around.skew_seconds == pytest.approx(300, abs=5)
    (seen,) = await ahead.seen()
    assert seen.silent_seconds < 30, "by the database's clock it is there"
