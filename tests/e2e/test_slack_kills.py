"""A gateway on Slack is killed in the middle of an answer; the next one finishes it, once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from bots.simulators.model import ModelSimulator
from bots.simulators.slack import SlackSimulator
from bots.simulators.slack.api import RecordedCall
from tests.e2e.conftest import KEY, Start
from tests.e2e.programs import SECONDS, Gateway
from tests.world import process_environment

STORY = " ".join(f"word{number}" for number in range(1, 30))
QUESTION = "tell me a story"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSimulator]:
    async with SlackSimulator(retry_delays=(0.2, 0.5, 1.0, 2.0, 4.0, 8.0)) as simulator:
        yield simulator


@pytest.fixture
def environment(
    home: Path, slack: SlackSimulator, model: ModelSimulator, database_url: str, redis_url: str
) -> dict[str, str]:
    home.mkdir()
    around = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": "xoxb-simulated",
        "OPENAI_BASE_URL": f"{model.url}/v1",
        "OPENAI_API_KEY": KEY,
    }
    return process_environment(around, home)


def answers(slack: SlackSimulator) -> list[str]:
    return [seen.text for seen in slack.seen("ann") if seen.by_bot]


def posts(slack: SlackSimulator) -> list[RecordedCall]:
    return [call for call in slack.calls if call.method == "chat.postMessage"]


async def by_socket(slack: SlackSimulator, program: Gateway) -> None:
    await slack.sockets.opened.wait()


async def by_http(slack: SlackSimulator, program: Gateway) -> None:
    await program.logged("channel up", channel="slack")
    slack.use_http(f"{program.url}/webhooks/slack")


WAYS = {"SLACK_APP_TOKEN": ("xapp-simulated", by_socket), "SLACK_SIGNING_SECRET": ("simulated", by_http)}
Connect = Callable[[SlackSimulator, Gateway], Awaitable[None]]


@pytest.mark.parametrize("way", list(WAYS))
async def test_an_answer_that_was_being_written_is_finished_once(
    environment: Mapping[str, str], gateway: Start, slack: SlackSimulator, model: ModelSimulator, way: str
) -> None:
    secret, connected = WAYS[way]
    model.answer = lambda _: STORY
    model.fault("stall", seconds=60, after=5)
    around = {**environment, way: secret}
    async with gateway(around) as first:
        await connected(slack, first)
        slack.say("ann", "ann", QUESTION)
        await slack.wait_for(
            lambda seen: any(one.by_bot and "word3" in one.text for one in seen), timeout=SECONDS
        )
        await first.kill()
    async with gateway(around) as second:
        await connected(slack, second)
        await second.logged("turn ended", end="answered")
        slack.say("ann", "ann", "!help")  # whatever was owed comes before
        await slack.next_answer("ann", where=lambda seen: "/history" in seen.text, timeout=SECONDS)
    told = answers(slack)
    assert [text for text in told if "word" in text] == [STORY]
    assert len(told) == 2


async def test_a_part_in_doubt_is_found_and_not_repeated(
    environment: Mapping[str, str], gateway: Start, slack: SlackSimulator, model: ModelSimulator
) -> None:
    """Of three parts the second went out and its receipt was lost with the process: it is read back."""
    whole = [letter * 3900 for letter in "abc"]
    model.answer = lambda _: "\n\n".join(whole)
    model.fault("stall", seconds=0.5, after=1)
    around = {**environment, "SLACK_APP_TOKEN": "xapp-simulated"}
    async with gateway(around) as first:
        await by_socket(slack, first)
        slack.say("ann", "ann", QUESTION)
        await slack.wait_for(lambda seen: [post.status for post in posts(slack)] == [200], SECONDS)
        slack.fault("slow", method="chat.postMessage", seconds=60)
        await slack.wait_for(lambda seen: seen[-1].text == whole[1], timeout=SECONDS)
        await first.kill()
    async with gateway(around) as second:
        await second.logged("turn ended", end="answered")
    assert answers(slack) == whole
    assert len(model.calls) == 1
