"""Who may go on, and what those hear who may not."""

from typing import Any, cast
from uuid import UUID

import pytest

from core.gate import Gate, Refusal
from core.ports import Glance, State
from tests.unit.core.samples import waiting


class Minutes:
    """Remembers which message was told something in this minute."""

    def __init__(self) -> None:
        self.told: dict[str, UUID] = {}

    async def first_this_minute(self, name: str, whose: UUID) -> bool:
        return self.told.setdefault(name, whose) == whose


def gate(*, allowed: bool = True) -> Gate:
    return Gate(state=cast(State, Minutes()), allowed=lambda channel, user: allowed, message_chars=100)


async def admitted(one: Gate, *texts: str, glance: Glance | None = None, **more: Any) -> Refusal | None:
    return await one.admit([waiting(text, **more) for text in texts], glance or Glance())


async def test_most_go_on() -> None:
    assert await admitted(gate(), "hello", "and more") is None


async def test_a_stranger_is_told_once_a_minute() -> None:
    one = gate(allowed=False)
    first, second = await admitted(one, "hello"), await admitted(one, "hello?")
    assert first is not None
    assert first.reason == "not_allowed"
    assert "operator" in (first.text or "")
    assert second == Refusal(reason="not_allowed", text=None)


async def test_who_is_blocked_is_a_stranger_too() -> None:
    refusal = await admitted(gate(), "hello", blocked=True)
    assert refusal is not None
    assert refusal.reason == "not_allowed"


async def test_too_fast_is_said_for_the_first_refusal_only() -> None:
    one = gate()
    said = await admitted(one, "x", glance=Glance(over_limit=42))
    assert said is not None
    assert "42 s" in (said.text or "")
    assert await admitted(one, "x", glance=Glance(over_limit=41)) == Refusal(reason="too_fast", text=None)


@pytest.mark.parametrize(("allowed", "glance"), [(False, Glance()), (True, Glance(over_limit=42))])
async def test_the_message_that_was_refused_first_may_be_refused_aloud_again(
    allowed: bool, glance: Glance
) -> None:
    """Nobody knows whether its holder lived to say it."""
    one, message = gate(allowed=allowed), waiting("x")
    first, again = await one.admit([message], glance), await one.admit([message], glance)
    assert first is not None
    assert first.text
    assert again == first


async def test_too_long_names_the_limit() -> None:
    refusal = await admitted(gate(), "x" * 101)
    assert refusal is not None
    assert refusal.reason == "too_long"
    assert "101" in (refusal.text or "")
    assert "100" in (refusal.text or "")


async def test_messages_that_each_fit_are_not_too_long_together() -> None:
    assert await admitted(gate(), "x" * 60, "y" * 60) is None
