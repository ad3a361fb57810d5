"""What a turn takes over from an earlier holder, and how its text becomes parts."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from core.messages import UNTOLD
from core.overdue import Overdue, Why
from core.rows import Lease, OpenTurn, Part, Work
from core.turn import Kind, Turn
from tests.unit.core.channels import ScriptedChannel
from tests.unit.core.samples import NOON, line, part, waiting

TURN = UUID(int=9)


def turn(*, deaths: int = 0, due: Why | None = None, **more: Any) -> Turn:
    place = line()
    return Turn(
        id=TURN,
        work=Work(lease=Lease(conversation_id=place.conversation_id, token=1), line=place, waiting=()),
        taken=(waiting("hello", attempts=deaths),),
        attempts=1 + deaths,
        channel=ScriptedChannel(),  # type: ignore[arg-type]
        stopped=asyncio.Event(),
        deadline_at=NOON + timedelta(minutes=2),
        overdue=Overdue(why=due, before=NOON) if due else None,
        **more,
    )


def composed(*parts: Part, attempts: int = 1, kind: Kind = "answer") -> OpenTurn:
    return OpenTurn(
        id=TURN, state="composed", attempts=attempts, taken=(), parts=parts, kind=kind, end="answered"
    )


@pytest.mark.parametrize(
    ("attempts", "deaths", "deliveries"), [(1, 0, 1), (1, 1, 2), (1, 3, 4), (3, 2, 1), (3, 3, 2), (3, 0, 1)]
)
def test_of_what_was_composed_only_the_deaths_since_then_count(
    attempts: int, deaths: int, deliveries: int
) -> None:
    ours = turn(deaths=deaths)
    ours.go_on(composed(attempts=attempts))
    assert (ours.attempts, ours.deliveries) == (attempts, deliveries)


@pytest.mark.parametrize(
    ("why", "kind", "stays"),
    [
        ("late", "answer", False),
        ("late", "command", False),
        ("late", "apology", True),
        ("stale", "answer", True),
        ("doubted", "answer", True),
    ],
)
def test_being_late_keeps_no_answer_that_is_ready(why: Why, kind: Kind, stays: bool) -> None:
    ours = turn(due=why)
    ours.go_on(composed(kind=kind))
    assert (ours.overdue is not None) is stays
    assert (ours.closing("answered").covers_before == NOON) is stays


def test_an_open_turn_is_as_old_as_its_messages() -> None:
    ours = turn(due="late", deaths=2)
    ours.go_on(OpenTurn(id=TURN, state="open", attempts=2, taken=(), parts=()))
    assert ours.overdue is not None
    assert (ours.attempts, ours.end) == (3, "answered")


def test_the_first_part_takes_the_place_of_the_placeholder() -> None:
    shown = part(1, "…", op="preview", receipt="r1", state="sent")
    (only,) = turn(parts=(shown,)).cut("hello")
    assert (only.op, only.receipt, only.state) == ("edit", "r1", "sending")


def test_a_line_that_we_are_unsure_never_takes_the_place_of_what_may_be_an_answer() -> None:
    shown = part(1, "…", op="preview", receipt="r1", state="sent")
    (only,) = turn(parts=(shown,), end="uncertain").cut("who knows")
    assert (only.op, only.receipt) == ("notice", None)


def test_nothing_to_say_is_no_part() -> None:
    assert turn().cut(None) == ()


def test_an_answer_is_looked_for_since_the_question_was_asked_as_far_as_that_is_believed() -> None:
    """What a platform does not date, or dates wrongly, was asked when it was accepted."""
    ours = turn()
    undated = replace(ours.asked, message=replace(ours.asked.message, sent_at=UNTOLD))
    ours.taken = (undated,)
    assert ours.outbound().asked_at == undated.asked_at == NOON
