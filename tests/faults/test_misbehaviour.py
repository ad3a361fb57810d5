"""Neighbours that misbehave: what they do by chance is drawn from a seed, and the long waits one by one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.faults import FaultQueue
from bots.simulators.model import ModelSimulator
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from bots.torture.misbehaviour import Lapse, endings, habits
from bots.torture.plan import CHANNELS
from tests.integration.turn.talk import Talk, talking

PLAIN = {"PARLEY_TELEGRAM__STREAM": "false"}
APOLOGY = "I could not get an answer from the model just now. Please try again in a moment."
PARKED = "SELECT wake_at > now() + make_interval(secs => {}) FROM conversations WHERE wake_at > now()"
Begin = Callable[..., AbstractAsyncContextManager[Talk]]


@pytest.fixture
def begin(tmp_path: Path, database_url: str, redis_url: str) -> Begin:
    def begin(**environment: str) -> AbstractAsyncContextManager[Talk]:
        return talking(tmp_path, database_url, redis_url, environment)

    return begin


@pytest.fixture
async def talk(begin: Begin) -> AsyncIterator[Talk]:
    async with begin(**PLAIN) as talk:
        yield talk


def test_the_same_seed_gives_the_same_misbehaviour() -> None:
    for draw in (habits, endings):
        assert draw(3, CHANNELS) == draw(3, CHANNELS)
        assert draw(3, CHANNELS) != draw(4, CHANNELS)


def test_the_simulators_know_all_of_it() -> None:
    faults: dict[str, FaultQueue] = {
        "telegram": TelegramSimulator().faults,
        "discord": DiscordSimulator().faults,
        "slack": SlackSimulator().faults,
        "model": ModelSimulator().faults,
    }
    lapses: list[Lapse] = [*habits(1, CHANNELS), *endings(1, CHANNELS)]
    for lapse in lapses:
        faults[lapse.where].add({"kind": lapse.what, **lapse.fields})
    assert {lapse.where for lapse in lapses} == set(faults)


@pytest.mark.parametrize("seconds", [30, 600, 14_000])
async def test_who_is_told_to_wait_long_waits_parked_while_others_go_on(talk: Talk, seconds: int) -> None:
    talk.telegram.fault("too_many_requests", method="sendMessage", chat="ann", seconds=seconds)
    talk.say("hello")
    await talk.telegram.wait_for(lambda _: [one for one in talk.telegram.calls if one.status == 429])
    talk.say("not held up", user="bob")
    await talk.hear("not held up", chat="bob")

    async def is_parked() -> bool:
        return await talk.rows(PARKED.format(seconds - 20)) == [(True,)]

    await talk.world.gateway.turns.settled(is_parked)
    calls = [one for one in talk.telegram.calls if one.params.get("text") == "echo: hello"]
    assert [one.status for one in calls] == [429]
    await talk.database.execute("UPDATE conversations SET wake_at = now() WHERE wake_at > now()")
    await talk.settled()
    assert talk.answers() == ["echo: hello"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [("bare_limit", {}), ("html", {"status": 429}), ("too_many_requests", {"seconds": 1})],
)
async def test_a_limit_is_waited_out_however_it_is_told(
    talk: Talk, kind: str, fields: dict[str, int]
) -> None:
    talk.telegram.fault(kind, method="sendMessage", **fields)
    assert await talk.ask("hello") == ["echo: hello"]
    assert await talk.outcomes() == ["answered"]


async def test_who_blocked_the_bot_gets_nothing_more_and_others_go_on(talk: Talk) -> None:
    talk.telegram.fault("forbidden", method="sendMessage", chat="ann", times=1000)
    talk.say("hello")
    talk.say("not held up", user="bob")
    await talk.hear("not held up", chat="bob")
    await talk.settled()
    assert sorted(await talk.outcomes()) == ["answered", "undeliverable"]
    calls = [one for one in talk.telegram.calls if one.params.get("text") == "echo: hello"]
    assert [one.status for one in calls] == [403]


async def test_a_model_that_says_nothing_is_an_apology(begin: Begin) -> None:
    async with begin() as talk:
        talk.model.fault("empty", times=1000)
        assert await talk.ask("hello") == [APOLOGY]
        assert await talk.outcomes() == ["apologised"]


async def test_a_call_whose_cost_is_not_told_is_booked_by_estimate(begin: Begin) -> None:
    async with begin() as talk:
        talk.model.fault("no_usage")
        assert await talk.ask("hello") == ["echo: hello"]
        assert await talk.rows("SELECT state, estimated FROM model_calls") == [("settled", True)]


@pytest.mark.parametrize("byte", [0, 1, 100, 333, 601])
async def test_a_stream_may_break_off_at_any_byte(begin: Begin, byte: int) -> None:
    async with begin() as talk:
        talk.model.answer = lambda _: "one two three four five"
        talk.model.fault("cut_byte", after=byte, times=1000)
        (told,) = await talk.ask("hello")
        assert told.startswith("one") or told == APOLOGY
        assert set(await talk.rows("SELECT state = 'reserved' FROM model_calls")) == {(False,)}
