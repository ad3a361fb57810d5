"""A report: the worst counts, the needed parts decide readiness, a broken probe is a failed check."""

import asyncio
from collections.abc import Sequence

import pytest

from bots.health import Check, Report, Shared, State, examine


def report(**states: State) -> Report:
    return Report(checks=tuple(Check(name=name, state=state) for name, state in states.items()))


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        ({}, "ok"),
        ({"database": "ok", "channel": "off"}, "ok"),
        ({"database": "ok", "cache": "degraded"}, "degraded"),
        ({"cache": "degraded", "database": "failed", "model": "ok"}, "failed"),
    ],
)
def test_the_state_is_that_of_the_worst_part(states: dict[str, State], worst: State) -> None:
    assert report(**states).state == worst


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        ({"database": "ok", "schema": "ok"}, True),
        ({"database": "degraded", "schema": "ok", "cache": "degraded", "model": "failed"}, True),
        ({"database": "failed"}, False),
        ({"database": "ok", "schema": "failed"}, False),
        ({"database": "ok"}, False),  # nobody looked at the schema
        ({}, False),
    ],
)
def test_ready_means_database_and_schema(states: dict[str, State], ready: bool) -> None:
    assert report(**states).ready is ready


async def fine() -> Sequence[Check]:
    return [Check(name="fine", state="ok"), Check(name="also", state="ok")]


async def broken() -> Sequence[Check]:
    raise RuntimeError("postgresql://user:hunter2@db")


async def stuck() -> Sequence[Check]:
    await asyncio.Event().wait()
    return []


async def test_probes_keep_their_order_and_a_broken_one_harms_nobody() -> None:
    seen = await examine({"broken": broken, "fine": fine, "stuck": stuck}, within=0.01)
    assert [(check.name, check.state) for check in seen.checks] == [
        ("broken", "failed"),
        ("fine", "ok"),
        ("also", "ok"),
        ("stuck", "failed"),
    ]
    assert "RuntimeError" in seen.checks[0].detail
    assert "hunter2" not in str(seen.as_dict())
    assert "no answer within" in seen.checks[3].detail


async def test_many_who_ask_at_once_cost_one_examination() -> None:
    looked = 0

    async def look() -> Report:
        nonlocal looked
        looked += 1
        await asyncio.sleep(0)
        return report(database="ok")

    shared = Shared(look, seconds=60)
    answers = await asyncio.gather(*(shared() for _ in range(20)))
    assert looked == 1
    assert all(answer is answers[0] for answer in answers)


async def test_an_old_report_is_not_shown() -> None:
    looked = 0

    async def look() -> Report:
        nonlocal looked
        looked += 1
        return report()

    shared = Shared(look, seconds=0)
    await shared()
    await shared()
    assert looked == 2
