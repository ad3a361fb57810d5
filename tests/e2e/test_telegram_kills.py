"""A gateway is killed in the middle of an answer; whoever takes over finishes it, once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from core.delivery import UNSURE
from tests.e2e.conftest import Start
from tests.e2e.programs import SECONDS, Gateway

STORY = " ".join(f"word{number}" for number in range(1, 30))
QUESTION = "tell me a story"


def answers(telegram: TelegramSimulator, chat: str) -> list[str]:
    return [seen.text for seen in telegram.seen(chat) if seen.by_bot]


async def shown(telegram: TelegramSimulator, true: Callable[[str], bool]) -> None:
    """Something of the bot's can be read for which this is true."""
    await telegram.wait_for(lambda seen: any(true(one.text) for one in seen if one.by_bot), timeout=SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    telegram: TelegramSimulator
    model: ModelSimulator


async def unconfirmed(scene: Scene) -> None:
    """Accepted, and the model was asked; Telegram was never told."""
    await polled(scene.telegram)
    scene.telegram.fault("server_error", method="getUpdates", times=1000)
    scene.model.fault("stall", seconds=60)
    scene.telegram.say("ann", "ann", QUESTION)
    await scene.model.wait_for(lambda calls: len(calls) == 1, timeout=SECONDS)


async def polled(telegram: TelegramSimulator) -> None:
    """A long poll has begun to wait for a message."""

    def waits() -> bool:
        return any(call.method == "getUpdates" and not call.status and call.params for call in telegram.calls)

    while True:
        if waits():
            return
        await asyncio.sleep(0.01)


async def streaming(scene: Scene) -> None:
    """Some of the answer can be read already."""
    scene.model.fault("stall", seconds=60, after=5)
    scene.telegram.say("ann", "ann", QUESTION)
    await scene.telegram.wait_for(
        lambda seen: any("word3" in one.text for one in seen if one.by_bot), timeout=SECONDS
    )


async def final_in_flight(scene: Scene) -> None:
    """The whole answer can be read, and the gateway does not know it."""
    scene.telegram.fault("slow", method="editMessageText", seconds=60, times=1000)
    scene.telegram.say("ann", "ann", QUESTION)
    await scene.telegram.wait_for(
        lambda seen: any(one.text == STORY for one in seen if one.by_bot), timeout=SECONDS
    )


async def placeholder_in_flight(scene: Scene) -> None:
    """The placeholder is out and its receipt is not known: a second one may come, and says nothing."""
    scene.telegram.fault("slow", method="sendMessage", seconds=60)
    scene.telegram.say("ann", "ann", QUESTION)
    await scene.telegram.wait_for(lambda seen: any(one.by_bot for one in seen), timeout=SECONDS)


@pytest.mark.parametrize("moment", [unconfirmed, streaming, final_in_flight, placeholder_in_flight])
async def test_a_new_start_answers_once(
    environment: dict[str, str],
    gateway: Start,
    telegram: TelegramSimulator,
    model: ModelSimulator,
    moment: Callable[[Scene], Awaitable[None]],
) -> None:
    model.answer = lambda _: STORY
    async with gateway(environment) as first:
        await moment(Scene(telegram=telegram, model=model))
        await first.kill()
    telegram.faults.clear()
    async with gateway(environment) as second:
        await second.logged("turn ended", end="answered")
        telegram.say("ann", "ann", "/help")  # whatever was owed comes before
        await telegram.next_answer("ann", where=lambda seen: "/history" in seen.text, timeout=SECONDS)
    told = answers(telegram, "ann")
    assert told.count(STORY) == 1
    assert [text for text in told if "word" in text] == [STORY]
    assert len(told) <= 3, "the answer, the help, and a stray placeholder at most"
    assert len(model.calls) <= 2


async def test_a_part_in_doubt_is_not_repeated(
    environment: dict[str, str], gateway: Start, telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    """Of three parts the second went out, and nobody knows: one line says so, and `/again` has all."""
    whole = [letter * 4000 for letter in "abc"]
    model.answer = lambda _: "\n\n".join(whole)
    model.fault("stall", seconds=0.5, after=1)
    async with gateway(environment) as first:
        telegram.say("ann", "ann", QUESTION)
        await telegram.wait_for(lambda seen: any(one.by_bot for one in seen), timeout=SECONDS)
        await model.wait_for(lambda calls: calls and calls[0].sent_tokens == 1, timeout=SECONDS)
        telegram.fault("slow", method="sendMessage", seconds=60)
        await telegram.wait_for(lambda seen: seen[-1].text == whole[1], timeout=SECONDS)
        await first.kill()
    async with gateway(environment) as second:
        await second.logged("turn ended", end="uncertain")
        assert answers(telegram, "ann") == [*whole[:2], UNSURE]
        telegram.say("ann", "ann", "/again")
        await second.logged("turn ended", end="answered")
    assert answers(telegram, "ann") == [*whole[:2], UNSURE, *whole]
    assert len(model.calls) == 1


async def test_the_other_instance_takes_over_poll_and_turn(
    environment: dict[str, str], gateway: Start, telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    model.answer = lambda messages: f"{STORY} {messages[-1]['content']}"
    others, said = ("bea", "cid", "dan"), f"{STORY} meanwhile"
    async with gateway(environment) as one, gateway(environment) as other:
        poller, stander = await roles(one, other)
        model.fault("stall", seconds=60, after=5)
        telegram.say("ann", "ann", "first")
        await telegram.wait_for(
            lambda seen: any("word3" in line.text for line in seen if line.by_bot), timeout=SECONDS
        )
        await poller.kill()
        for person in others:
            telegram.say(person, person, "meanwhile")
        telegram.say("ann", "ann", "second")
        done = await telegram.wait_for(
            lambda seen: [line.text for line in seen if line.by_bot and line.text.endswith(" second")],
            timeout=SECONDS,
        )
        assert done == [f"{STORY} second"]
        await stander.checked(lambda status, checks: checks["channel telegram"]["detail"] == "receives")
        await telegram.wait_for(
            lambda _: all(answers(telegram, person) == [said] for person in others), timeout=SECONDS
        )
    assert answers(telegram, "ann") == [f"{STORY} first", f"{STORY} second"]
    assert all(answers(telegram, person) == [said] for person in others)
    assert "another poller" not in stander.log


async def roles(one: Gateway, other: Gateway) -> tuple[Gateway, Gateway]:
    """Who polls and who stands by."""
    await one.logged("channel up")
    await other.logged("channel standby")
    return one, other
