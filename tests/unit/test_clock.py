"""The gateway's clock, put right by the database's."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from bots.clock import NOTICED, SystemClock
from bots.upkeep import Census
from core.observe import Metrics
from core.store.instances import Instance, PostgresInstances, Surroundings

ME = Instance(
    name="me", host="here", pid=1, role="all", version="1", revision="0002", started_at=datetime.now(UTC)
)


class Elsewhere(PostgresInstances):
    """A database whose clock goes otherwise."""

    def __init__(self, skew: float | None) -> None:
        self._skew = skew

    async def report(self, instance: Instance) -> Surroundings:
        return Surroundings(working=1, skew_seconds=self._skew)


def behind(clock: SystemClock) -> float:
    return (datetime.now(UTC) - clock.now()).total_seconds()


@pytest.mark.parametrize(
    ("skew", "corrected"), [(300.0, 300.0), (-300.0, -300.0), (NOTICED / 2, 0.0), (0.0, 0.0), (None, 0.0)]
)
async def test_it_goes_by_the_databases(skew: float | None, corrected: float) -> None:
    clock = SystemClock()
    census = Census(ME, Metrics(CollectorRegistry()), clock)
    await census.report(Elsewhere(skew), ())
    assert behind(clock) == pytest.approx(corrected, abs=0.9)


async def test_what_cannot_be_told_changes_nothing() -> None:
    clock = SystemClock()
    census = Census(ME, Metrics(CollectorRegistry()), clock)
    await census.report(Elsewhere(300.0), ())
    await census.report(Elsewhere(None), ())
    assert timedelta(seconds=behind(clock)) > timedelta(minutes=4)
