"""How old a question is, and turns that end all that is older than a time."""

from datetime import UTC, datetime, timedelta

import pytest

from core.rows import Closing, End, Writing
from tests.integration.store.ground import Instance, begin, turn_of
from tests.integration.store.test_fencing import everything, expire

HOUR = timedelta(hours=1)
ENDS = "SELECT payload->>'text', state, outcome, turn_id FROM inbox ORDER BY seq"


@pytest.mark.parametrize(
    ("before", "believed"),
    [
        (timedelta(0), True),
        (timedelta(minutes=20), True),
        (30 * HOUR, True),
        (720 * HOUR - timedelta(seconds=1), True),
        (720 * HOUR + timedelta(seconds=1), False),
        (timedelta(days=400), False),
        (timedelta(seconds=-1), False),
        (timedelta(days=-400), False),
    ],
)
async def test_a_platform_is_believed_about_the_last_month(
    one: Instance, before: timedelta, believed: bool
) -> None:
    accepted = datetime(2026, 3, 29, 12, tzinfo=UTC)
    for zone in ("UTC", "Europe/Berlin"):  # where a clock is put forward that night
        async with one.engine.begin() as connection:
            await connection.exec_driver_sql(f"SET LOCAL TIME ZONE '{zone}'")
            found = await connection.exec_driver_sql(
                "SELECT parley_asked_at_v1($1, $2)", (accepted - before, accepted)
            )
            assert found.scalar() == (accepted - before if believed else accepted)


async def test_waiting_and_taken_messages_tell_when_they_were_asked(one: Instance, two: Instance) -> None:
    asked = datetime.now(UTC) - 3 * HOUR
    work = await one.work("chat", sent_at=asked)
    assert work.waiting[0].asked_at == asked
    await one.journal.write(begin(work, turn_of(work)))
    await one.accept("chat", sent_at=asked - 4800 * HOUR)
    await expire(one)
    (taken,) = await two.claim()
    assert taken.unfinished is not None
    assert taken.unfinished.taken[0].asked_at == asked
    assert taken.waiting[0].asked_at == taken.waiting[0].accepted_at


@pytest.mark.parametrize("end", ["apologised", "stale", "uncertain"])
async def test_a_closing_covers_what_is_older(one: Instance, end: End) -> None:
    """Of every kind, more than one hand-out holds; what is younger is handed on."""
    now = datetime.now(UTC)
    work = await one.work("chat", "old", sent_at=now - 5 * HOUR)
    for n in range(60):
        await one.accept("chat", f"old {n}", sent_at=now - 4 * HOUR)
    await one.accept("chat", "/help", kind="command", sent_at=now - 4 * HOUR)
    await one.accept("chat", "/stop", kind="stop", sent_at=now - 4 * HOUR)
    await one.accept("chat", "young", sent_at=now - HOUR)
    await one.accept("chat", "unbelievable", sent_at=now - 1000 * HOUR)
    await one.accept("another chat", "old", sent_at=now - 5 * HOUR)
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    closing = Closing(turn_id=turn.id, end=end, covers_before=now - 2 * HOUR)
    following = await one.journal.write(Writing(lease=work.lease, closing=closing))
    assert following is not None
    assert [each.message.text for each in following.waiting] == ["young", "unbelievable"]
    here = f"{ENDS.partition(' ORDER')[0]} WHERE conversation_id = :line ORDER BY seq"
    rows = [tuple(row) for row in await one.rows(here, line=work.line.conversation_id)]
    assert {row[1:] for row in rows[:63]} == {("done", end, turn.id)}
    assert {row[1:] for row in rows[63:]} == {("waiting", None, None)}
    assert await one.one("SELECT count(*) FROM inbox WHERE state = 'waiting'") == 3


async def test_a_closing_that_covers_all_releases_and_is_repeated_without_harm(one: Instance) -> None:
    now = datetime.now(UTC)
    work = await one.work("chat", "1", sent_at=now - 5 * HOUR)
    await one.accept("chat", "2", sent_at=now - 4 * HOUR)
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    closing = Closing(turn_id=turn.id, end="stale", covers_before=now - HOUR)
    assert await one.journal.write(Writing(lease=work.lease, closing=closing)) is None
    before = await everything(one)
    assert await one.journal.write(Writing(lease=work.lease, closing=closing)) is None
    assert await everything(one) == before


async def test_a_stop_that_is_older_ends_as_the_turn_does(one: Instance) -> None:
    now = datetime.now(UTC)
    work = await one.work("chat", "question", sent_at=now - 5 * HOUR)
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    await one.accept("chat", "/stop", kind="stop", sent_at=now - 4 * HOUR)
    await one.accept("chat", "/stop", kind="stop")
    closing = Closing(turn_id=turn.id, end="stale", covers_stops=True, covers_before=now - HOUR)
    assert await one.journal.write(Writing(lease=work.lease, closing=closing)) is None
    rows = await one.rows("SELECT outcome FROM inbox ORDER BY seq")
    assert [row[0] for row in rows] == ["stale", "stale", "answered"]
