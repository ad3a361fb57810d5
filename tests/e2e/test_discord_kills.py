"""A gateway on Discord is killed: in the middle of an answer, and before it has heard. One answer follows."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.discord.rest import RecordedCall
from bots.simulators.model import ModelSimulator
from tests.e2e.conftest import KEY, Start
from tests.e2e.programs import SECONDS
from tests.world import process_environment

STORY = " ".join(f"word{number}" for number in range(1, 30))
TOKEN = "a.simulated.token"


@pytest.fixture
async def discord() -> AsyncIterator[DiscordSimulator]:
    async with DiscordSimulator(token=TOKEN) as simulator:
        yield simulator


@pytest.fixture
def environment(
    home: Path, discord: DiscordSimulator, model: ModelSimulator, database_url: str, redis_url: str
) -> dict[str, str]:
    home.mkdir()
    around = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_GATEWAY_URL": discord.gateway_url,
        "DISCORD_TOKEN": TOKEN,
        "OPENAI_BASE_URL": f"{model.url}/v1",
        "OPENAI_API_KEY": KEY,
    }
    return process_environment(around, home)


def answers(discord: DiscordSimulator, chat: str) -> list[str]:
    return [seen.text for seen in discord.seen(chat) if seen.by_bot]


def posts(discord: DiscordSimulator) -> list[RecordedCall]:
    return [call for call in discord.calls if call.method == "create_message"]


@pytest.mark.parametrize("way", ["said", "called"])
async def test_an_answer_that_was_being_written_is_finished_once(
    environment: Mapping[str, str], gateway: Start, discord: DiscordSimulator, model: ModelSimulator, way: str
) -> None:
    chat = "ann" if way == "said" else "general"
    model.answer = lambda _: STORY
    model.fault("stall", seconds=60, after=5)
    async with gateway(environment) as first:
        await discord.wait_for(lambda seen: discord.connected, timeout=SECONDS)
        if way == "said":
            discord.say(chat, "ann", "tell me a story")
        else:
            discord.slash(chat, "ann", "ask", {"question": "tell me a story"})
        await discord.wait_for(
            lambda seen: any(one.by_bot and "word3" in one.text for one in seen), timeout=SECONDS
        )
        await first.kill()
    discord.say("ann", "ann", "!help")  # told to nobody: the history tells it
    async with gateway(environment) as second:
        await second.logged("turn ended", end="answered")
        await discord.wait_for(lambda seen: answers(discord, chat)[0] == STORY, timeout=SECONDS)
        discord.say("ann", "ann", "!help")
        wanted = 2 if way == "said" else 1  # after a mere command nothing is known of direct messages
        await discord.wait_for(
            lambda seen: sum("/history" in text for text in answers(discord, "ann")) == wanted,
            timeout=SECONDS,
        )
    assert [text for text in answers(discord, chat) if "word" in text] == [STORY]


async def test_a_part_in_doubt_is_sent_again_and_shown_once(
    environment: Mapping[str, str], gateway: Start, discord: DiscordSimulator, model: ModelSimulator
) -> None:
    """Of three parts the second went out and its receipt was lost with the process: the nonce tells."""
    whole = [letter * 1900 for letter in "abc"]
    model.answer = lambda _: "\n\n".join(whole)
    model.fault("stall", seconds=0.5, after=1)
    async with gateway(environment) as first:
        await discord.wait_for(lambda seen: discord.connected, timeout=SECONDS)
        discord.say("ann", "ann", "tell me a story")
        await discord.wait_for(lambda seen: [each.status for each in posts(discord)] == [200], SECONDS)
        discord.fault("slow", method="create_message", seconds=60)
        await discord.wait_for(lambda seen: seen[-1].text == whole[1], timeout=SECONDS)
        await first.kill()
    discord.faults.clear()
    async with gateway(environment) as second:
        await second.logged("turn ended", end="answered")
    assert [call.params["content"] for call in posts(discord)].count(whole[1]) == 2
    assert answers(discord, "ann") == whole
    assert len(model.calls) == 1
