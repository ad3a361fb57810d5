"""A trace adds up, and what it shows of rows is short and plain."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from bots.demo.trace import STEPS, Trace, glance, made_at, usage


def test_times_count_from_enter_and_never_go_backwards() -> None:
    trace = Trace(turn_id=uuid7(), channel="telegram", asked_at=100.0)
    trace.put("receive", 99.999, 100.004)
    trace.put("accept", 100.004, 100.003)
    body = trace.as_json()
    assert body["steps"][0]["at"] == 0
    assert body["steps"][0]["ms"] == 4.0
    assert body["steps"][1]["ms"] == 0
    assert body["steps"][2]["ms"] is None
    assert [step["name"] for step in body["steps"]] == list(STEPS)
    assert len(STEPS) == 10
    assert (body["closed"], body["total"]) == (False, 4.0)


def test_when_an_id_was_made() -> None:
    assert made_at(UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")) == 1645557742.0


def test_a_price_that_is_not_known_is_not_nothing() -> None:
    call = {"model": "a", "prompt_tokens": 3, "completion_tokens": 4, "cost_micro": 5, "first_token_ms": 6}
    assert usage([call, {**call, "model": "b"}]) == {
        "calls": 2, "model": "b", "prompt": 6, "completion": 8, "cost_micro": 10, "first_token_ms": 6,
    }  # fmt: skip
    assert usage([call, {**call, "cost_micro": None}])["cost_micro"] is None
    assert usage([])["calls"] == 0


def test_a_glance_is_short() -> None:
    assert len(glance("x" * 1000)) == 161
    assert glance({"at": datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)}) == {"at": "03:04:05.678"}
    assert glance([None, 1, True, uuid7()])[:3] == [None, 1, True]
