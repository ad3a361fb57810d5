"""Whole turns over Slack: real client, real stores, simulated platform and model."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.app import Gateway
from bots.simulators.model import ModelSimulator
from bots.simulators.slack import SlackSimulator
from tests.integration.slack.conftest import APP_TOKEN, BOT_TOKEN
from tests.world import running_gateway, settings_for


@pytest.fixture
async def gateway(
    sim: SlackSimulator, tmp_path: Path, database_url: str, redis_url: str
) -> AsyncIterator[Gateway]:
    async with ModelSimulator() as model:
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "SLACK_API_URL": sim.api_url,
            "OPENAI_BASE_URL": f"{model.url}/v1",
        }
        async with running_gateway(settings_for(tmp_path, environment)) as gateway:
            await sim.sockets.opened.wait()
            yield gateway


def answers(sim: SlackSimulator, chat: str) -> list[str]:
    return [seen.text for seen in sim.seen(chat) if seen.by_bot]


async def test_direct_messages_and_channels_are_answered_once_where_they_were_asked(
    sim: SlackSimulator, gateway: Gateway
) -> None:
    sim.fault("duplicate", copies=2)
    sim.say("ann", "ann", "hello there")
    answer = await sim.next_answer("ann", where=lambda seen: "hello there" in seen.text)
    root = sim.say("team", "bob", "and hello here", mention=True)
    other = await sim.next_answer("team", where=lambda seen: "hello here" in seen.text)
    await sim.delivered()
    assert (answers(sim, "ann"), answers(sim, "team")) == ([answer.text], [other.text])
    assert sim.message("team", str(other.id)).thread_ts == root
    assert sim.unknown_methods == []


async def test_commands_in_each_form(sim: SlackSimulator, gateway: Gateway) -> None:
    sim.slash("team", "ann", "/parley", "help")
    assert "/model" in (await sim.next_answer("team")).text
    sim.slash("team", "ann", "/parley", "what about this")
    await sim.next_answer("team", where=lambda seen: "what about this" in seen.text)
    sim.say("team", "ann", "!help")
    await sim.next_answer("team", where=lambda seen: "/model" in seen.text)
    sim.say("ann", "ann", "!help")
    assert "/model" in (await sim.next_answer("ann")).text


async def test_a_lost_answer_to_a_send_shows_the_text_once(sim: SlackSimulator, gateway: Gateway) -> None:
    sim.fault("accept_then_drop", method="chat.postMessage")
    sim.slash("team", "ann", "/parley", "help")  # a command's reply has no placeholder before it
    await sim.next_answer("team")
    await sim.wait_for(lambda _: any(call.method == "conversations.history" for call in sim.calls))
    sim.say("team", "ann", "now this", mention=True)
    await sim.next_answer("team", where=lambda seen: "now this" in seen.text)
    assert sum("/model" in text for text in answers(sim, "team")) == 1


async def test_a_placeholder_whose_answer_was_lost_is_found_again(
    sim: SlackSimulator, gateway: Gateway
) -> None:
    sim.fault("accept_then_drop", method="chat.postMessage")
    sim.say("ann", "ann", "hello there")
    answer = await sim.next_answer("ann", where=lambda seen: "hello there" in seen.text)
    await sim.delivered()
    assert answers(sim, "ann") == [answer.text]


async def test_a_platform_that_asks_for_rest_is_left_alone_by_the_final_too(
    sim: SlackSimulator, gateway: Gateway
) -> None:
    sim.fault("too_many_requests", method="chat.postMessage", seconds=1)
    sim.say("ann", "ann", "hello there")
    answer = await sim.next_answer("ann", where=lambda seen: "hello there" in seen.text)
    refused, sent = [call.at for call in sim.calls if call.method == "chat.postMessage"]
    assert sent - refused >= 1  # as long as Slack asked for, however quick the model was
    assert answers(sim, "ann") == [answer.text]
