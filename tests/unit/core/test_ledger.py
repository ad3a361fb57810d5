"""The money side: whole micro-units, and unknown is not nothing."""

from datetime import datetime, timedelta
from uuid import uuid4

from core.ledger import Ledger
from core.messages import Cost, Finish, Usage
from core.rows import CallRow, OpenCall
from tests.unit.core.samples import NOON, line, waiting


class TwoPrices:
    """Ten a prompt token and a hundred a completion token; twice as much from one o'clock on."""

    def cost(self, model: str, usage: Usage, at: datetime) -> Cost | None:
        if model == "unheard-of":
            return None
        factor = 2 if at >= NOON + timedelta(hours=1) else 1
        return Cost(micro=factor * (10 * usage.prompt + 100 * usage.completion), source="table")


LEDGER = Ledger(prices=TwoPrices())


def reserved(model: str = "known", now: datetime = NOON) -> CallRow:
    return LEDGER.reserve(
        call_id=uuid4(), turn_id=uuid4(), line=line(), asked=waiting("hi"), model=model, attempt=1,
        prompt_tokens=50, answer_tokens=20, now=now,
    )  # fmt: skip


def test_the_worst_case_is_reserved() -> None:
    assert reserved().reserved_micro == 50 * 10 + 20 * 100
    assert reserved("unheard-of").reserved_micro is None


def test_settled_by_what_was_used() -> None:
    finish = Finish(usage=Usage(prompt=40, completion=3), model="known-2026", request_id="r1")
    done = LEDGER.settle(
        reserved(), state="settled", usage=finish.usage, now=NOON + timedelta(seconds=2), finish=finish
    )
    assert (done.cost_micro, done.price_source, done.model) == (700, "table", "known-2026")
    assert (done.duration_ms, done.finish_reason, done.request_id) == (2000, "stop", "r1")


def test_the_price_is_of_the_moment_the_call_began() -> None:
    call = reserved(now=NOON + timedelta(minutes=59, seconds=59))
    usage = Usage(prompt=1, completion=1)
    done = LEDGER.settle(call, state="settled", usage=usage, now=NOON + timedelta(hours=2))
    assert done.cost_micro == 110


def test_an_unknown_price_is_no_price() -> None:
    usage = Usage(prompt=40, completion=3)
    done = LEDGER.settle(reserved("unheard-of"), state="settled", usage=usage, now=NOON)
    assert done.cost_micro is None
    assert done.price_source is None


def test_a_call_whose_holder_died_is_settled_by_its_prompt_and_marked() -> None:
    for model, cost in (("known", 500), ("unheard-of", None)):
        done = LEDGER.abandon(OpenCall(id=uuid4(), model=model, reserved_prompt=50), NOON)
        assert (done.state, done.usage, done.cost_micro) == (
            "interrupted",
            Usage(prompt=50, estimated=True),
            cost,
        )
