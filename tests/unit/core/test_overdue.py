"""What is too old to be answered, and how it ends instead."""

from datetime import datetime, timedelta

import pytest

from core.overdue import Overdue, overdue
from core.turn import merge
from tests.unit.core.samples import NOON, line, waiting

QUARTER, DAY = timedelta(seconds=900), timedelta(days=1)
SECOND = timedelta(seconds=1)


def judged(age: timedelta, doubt_before: datetime | None = None) -> Overdue | None:
    asked, place = waiting("hello", asked_at=NOON - age), line(doubt_before=doubt_before)
    return overdue(asked, place, NOON, late_seconds=900, stale_seconds=86_400)


@pytest.mark.parametrize(
    ("age", "why", "end"),
    [
        (timedelta(0), None, None),
        (QUARTER, None, None),
        (QUARTER + SECOND, "late", "apologised"),
        (DAY, "late", "apologised"),
        (DAY + SECOND, "stale", "stale"),
        (-QUARTER, None, None),
    ],
)
def test_ages(age: timedelta, why: str | None, end: str | None) -> None:
    due = judged(age)
    assert (due and due.why, due and due.end) == (why, end)


def test_only_what_is_a_day_old_is_closed_without_a_word() -> None:
    late, stale = judged(QUARTER + SECOND), judged(DAY + SECOND)
    assert late is not None
    assert late.text
    assert late.before == NOON - QUARTER
    assert stale is not None
    assert stale.text is None
    assert stale.before == NOON - DAY


@pytest.mark.parametrize("age", [SECOND, QUARTER + SECOND, DAY + SECOND])
def test_what_was_asked_before_a_restore_is_in_doubt_however_old(age: timedelta) -> None:
    due = judged(age, doubt_before=NOON)
    assert due is not None
    assert (due.why, due.end, due.before) == ("doubted", "uncertain", NOON)
    assert due.text
    assert "restored" in due.text


def test_what_was_asked_after_a_restore_is_answered() -> None:
    assert judged(SECOND, doubt_before=NOON - timedelta(seconds=2)) is None


def test_what_is_overdue_is_merged_with_nothing() -> None:
    old, older, young = (waiting(text) for text in ("old", "older", "young"))
    too_old = {old.inbox_id, older.inbox_id}
    assert merge((old, older, young), 20, 1000, lambda one: one.inbox_id in too_old) == (old,)
    assert merge((young, old), 20, 1000, lambda one: one.inbox_id in too_old) == (young,)
