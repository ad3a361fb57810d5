"""The simulated Slack's rate limits, pages and alarm clock."""

import asyncio

import pytest

from bots.simulators.slack.alarm import AlarmClock
from bots.simulators.slack.histories import parsed
from bots.simulators.slack.limits import TIER_3, RateLimits


def test_a_tier_is_so_many_calls_a_minute() -> None:
    clock = AlarmClock()
    limits = RateLimits(clock.now)
    assert all(limits.check("chat.update", TIER_3, "C1") is None for _ in range(TIER_3))
    refusal = limits.check("chat.update", TIER_3, "C1")
    assert refusal is not None
    assert (refusal.code, refusal.status, refusal.retry_after) == ("ratelimited", 429, 60)
    assert limits.check("chat.delete", TIER_3, "C1") is None
    clock.turn(60)
    assert limits.check("chat.update", TIER_3, "C1") is None


def test_a_conversation_takes_a_message_a_second() -> None:
    clock = AlarmClock()
    limits = RateLimits(clock.now)
    assert limits.check("chat.postMessage", None, "C1") is None
    assert limits.check("chat.postMessage", None, "C2") is None
    refusal = limits.check("chat.postMessage", None, "C1")
    assert refusal is not None
    assert refusal.retry_after == 1
    clock.turn(1)
    assert limits.check("chat.postMessage", None, "C1") is None


def test_timestamps_are_compared_exactly() -> None:
    assert parsed("1700000000.000010") - parsed("1700000000.000009") == 1
    assert parsed("1700000000") == parsed("1700000000.000000")
    with pytest.raises(ValueError):
        parsed("yesterday")


async def test_a_turned_clock_wakes_who_waits() -> None:
    clock = AlarmClock()
    waiting = asyncio.create_task(clock.until(clock.now() + 3600))
    await asyncio.sleep(0)
    clock.turn(1800)
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.turn(1800)
    await waiting


async def test_work_is_given_up_when_the_clock_gets_ahead_of_it() -> None:
    clock = AlarmClock()
    assert await clock.within(3600, asyncio.sleep(0, "done")) == "done"
    late = asyncio.create_task(clock.within(3600, asyncio.sleep(3600)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.turn(3601)
    with pytest.raises(TimeoutError):
        await late
