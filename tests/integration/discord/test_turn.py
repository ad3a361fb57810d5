"""Whole turns over Discord: real client, real stores, simulated platform and model."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from bots.app import Gateway
from bots.simulators.discord import DiscordSimulator
from bots.simulators.ledger import Seen
from bots.simulators.model import ModelSimulator
from tests.integration.discord.running import TOKEN
from tests.world import running_gateway, settings_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    discord: DiscordSimulator
    model: ModelSimulator
    start: Callable[[], AbstractAsyncContextManager[Gateway]]
    database: asyncpg.Connection

    async def done(self, number: int) -> None:
        """Wait until so many messages are accepted and done."""
        query = "SELECT count(*) FROM inbox WHERE state = 'done'"
        while await self.database.fetchval(query) < number:
            await self.database.execute("SELECT pg_sleep(0.01)")

    def answers(self, chat: str) -> list[str]:
        return [seen.text for seen in self.discord.seen(chat) if seen.by_bot]


@pytest.fixture
async def talk(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Talk]:
    database = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    async with DiscordSimulator(token=TOKEN) as discord, ModelSimulator() as model:
        environment = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_API_URL": discord.api_url,
            "DISCORD_GATEWAY_URL": discord.gateway_url,
            "PARLEY_DISCORD__EDIT_DIRECT_SECONDS": "0.05",
            "PARLEY_DISCORD__EDIT_SERVER_SECONDS": "0.05",
            "OPENAI_BASE_URL": f"{model.url}/v1",
        }

        @asynccontextmanager
        async def start() -> AsyncIterator[Gateway]:
            async with running_gateway(settings_for(tmp_path, environment)) as gateway:
                await discord.wait_for(lambda messages: discord.connected)
                yield gateway

        yield Talk(discord=discord, model=model, start=start, database=database)
    await database.close()


def whole(words: str) -> Callable[[Seen], bool]:
    return lambda seen: words in seen.text


async def test_each_way_of_asking_is_answered_once(talk: Talk) -> None:
    async with talk.start():
        sim = talk.discord
        sim.say("ann", "ann", "hello in private")
        await sim.next_answer("ann", where=whole("hello in private"))
        sim.say("general", "ann", "@parley_bot hello in public")
        await sim.next_answer("general", where=whole("hello in public"))
        sim.slash("general", "bob", "ask", {"question": "by command"})
        answer = await sim.next_answer("general", where=whole("by command"))
        sim.slash("ann", "ann", "help")
        await sim.next_answer("ann", where=whole("/history"))
        await talk.done(4)
    assert not answer.extra["loading"]
    assert len(talk.answers("ann")) == 2
    assert len(talk.answers("general")) == 2
    pings = [seen.extra["pings"] for seen in sim.seen() if seen.by_bot]
    assert all(len(names) <= 1 for names in pings)
    assert sim.unknown_routes == []


async def test_a_message_said_while_nobody_runs_is_answered_once_after_the_start(talk: Talk) -> None:
    async with talk.start():
        talk.discord.say("ann", "ann", "before")
        await talk.done(1)
    talk.discord.say("ann", "ann", "while away")
    async with talk.start():
        await talk.discord.next_answer("ann", where=whole("while away"))
        talk.discord.say("ann", "ann", "after")
        await talk.discord.next_answer("ann", where=whole("after"))
        await talk.done(3)
    assert len(talk.answers("ann")) == 3
    assert await talk.database.fetchval("SELECT cursor <> '{}' FROM accounts")


async def test_lost_answers_of_the_platform_show_nothing_twice(talk: Talk) -> None:
    async with talk.start():
        for kind in ("accept_then_drop", "reset"):
            talk.discord.fault(kind, method="create_message")
            talk.discord.fault(kind, method="edit_message")
            talk.discord.say("ann", "ann", f"hello {kind}")
            await talk.discord.next_answer("ann", where=whole(f"hello {kind}"))
        await talk.done(2)
    assert len(talk.answers("ann")) == 2


async def test_stop_by_command_leaves_nothing_hanging(talk: Talk) -> None:
    async with talk.start():
        talk.discord.slash("ann", "ann", "stop")
        await talk.done(1)
    assert len(talk.answers("ann")) == 1
    assert not any(seen.extra.get("loading") for seen in talk.discord.seen("ann"))
