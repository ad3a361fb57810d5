"""A question that its author edits or deletes before anybody has begun with it: the newest words are
answered, and what was deleted is not. Afterwards changes count for nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.model import ModelSimulator
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from tests.world import TOKEN, running_gateway, settings_for

Platform = TelegramSimulator | DiscordSimulator | SlackSimulator
HELD_SECONDS = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One person with one bot, and its database."""

    platform: Platform
    model: ModelSimulator
    database: asyncpg.Connection

    def say(self, text: str) -> str:
        return str(self.platform.say("ann", "ann", text))

    async def until(self, count: int, where: str) -> None:
        """Wait until so many accepted messages are like this."""
        async with asyncio.timeout(20):
            while await self.database.fetchval(f"SELECT count(*) FROM inbox WHERE {where}") < count:
                await self.database.execute("SELECT pg_sleep(0.01)")

    async def hold(self) -> str:
        """Keep the conversation busy with a first question; its id."""
        self.model.fault("stall", seconds=HELD_SECONDS)
        first = self.say("keep busy")
        await self.model.wait_for(lambda calls: len(calls) == 1)
        return first

    def asked(self) -> str:
        """All that the model was ever shown."""
        return str(list(self.model.requests))

    async def outcomes(self) -> list[str]:
        return [row[0] for row in await self.database.fetch("SELECT outcome FROM inbox ORDER BY seq")]

    def answers(self) -> list[str]:
        return [seen.text for seen in self.platform.seen("ann") if seen.by_bot]


@pytest.fixture(params=["telegram", "discord", "slack"])
async def talk(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str, redis_url: str
) -> AsyncIterator[Talk]:
    database = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        model = await stack.enter_async_context(ModelSimulator())
        platform, around = await _platform(stack, request.param)
        environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, **around}
        environment["OPENAI_BASE_URL"] = f"{model.url}/v1"
        await stack.enter_async_context(running_gateway(settings_for(tmp_path, environment)))
        yield Talk(platform=platform, model=model, database=database)


async def _platform(stack: AsyncExitStack, name: str) -> tuple[Platform, dict[str, str]]:
    if name == "telegram":
        telegram = await stack.enter_async_context(TelegramSimulator())
        return telegram, {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_TOKEN": TOKEN}
    if name == "discord":
        discord = await stack.enter_async_context(DiscordSimulator())
        return discord, {
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_API_URL": discord.api_url,
            "DISCORD_GATEWAY_URL": discord.gateway_url,
        }
    slack = await stack.enter_async_context(SlackSimulator())
    return slack, {
        "SLACK_BOT_TOKEN": "xoxb-test",
        "SLACK_APP_TOKEN": "xapp-test",
        "SLACK_API_URL": slack.api_url,
    }


@pytest.fixture
async def listening(talk: Talk) -> Talk:
    """With a first answer given: then the bot listens, and knows the chat."""
    if isinstance(talk.platform, DiscordSimulator):
        sim = talk.platform
        await sim.wait_for(lambda _: sim.connected)
    if isinstance(talk.platform, SlackSimulator):
        await talk.platform.sockets.opened.wait()
    return talk


async def test_the_newest_words_are_answered(listening: Talk) -> None:
    talk = listening
    first = await talk.hold()
    second = talk.say("the old words")
    await talk.until(2, "true")
    edit(talk.platform, second, "the first correction")
    edit(talk.platform, second, "the new words")
    edit(talk.platform, first, "too late to change")
    await talk.until(1, "revision > 0 AND payload::text LIKE '%the new words%'")
    await talk.until(2, "state = 'done'")
    assert "the new words" in talk.asked()
    assert "the old words" not in talk.asked()
    assert "too late to change" not in talk.asked()
    assert await talk.outcomes() == ["answered", "answered"]
    assert len(talk.answers()) == 2


@pytest.mark.parametrize("talk", ["discord", "slack"], indirect=True)  # Telegram tells of no deletion
async def test_what_was_deleted_in_time_is_not_answered(listening: Talk) -> None:
    talk = listening
    assert not isinstance(talk.platform, TelegramSimulator)
    first = await talk.hold()
    second = talk.say("never mind")
    talk.say("this one stays")
    await talk.until(3, "true")
    talk.platform.delete("ann", second)
    talk.platform.delete("ann", first)
    await talk.until(1, "outcome = 'withdrawn'")
    await talk.until(3, "state = 'done'")
    assert "never mind" not in talk.asked()
    assert "this one stays" in talk.asked()
    assert await talk.outcomes() == ["answered", "withdrawn", "answered"]
    assert len(talk.answers()) == 2


async def test_changes_of_what_is_answered_change_nothing(listening: Talk) -> None:
    talk = listening
    question = talk.say("what now?")
    await talk.until(1, "state = 'done'")
    edit(talk.platform, question, "what then?")
    if not isinstance(talk.platform, TelegramSimulator):
        talk.platform.delete("ann", question)
    talk.say("the end")
    await talk.until(2, "state = 'done'")
    assert "what then?" not in talk.asked()
    assert await talk.outcomes() == ["answered", "answered"]
    assert len(talk.answers()) == 2


def edit(platform: Platform, id: str, text: str) -> None:
    if isinstance(platform, TelegramSimulator):
        platform.edit("ann", int(id), text)
    else:
        platform.edit("ann", id, text)
