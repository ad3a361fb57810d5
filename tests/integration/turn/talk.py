"""A gateway to talk with over simulated Telegram, and what its database says of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from bots.simulators.ledger import Seen
from bots.simulators.model.simulator import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from core.house import Watch, look_away
from tests.world import World, open_world


@dataclass(slots=True, kw_only=True)
class Talk:
    """`said` counts what was said to the bot, and so what must come to be in the inbox."""

    world: World
    database: asyncpg.Connection
    said: int = 0

    @property
    def telegram(self) -> TelegramSimulator:
        return self.world.telegram

    @property
    def model(self) -> ModelSimulator:
        return self.world.model

    def say(self, text: str, *, user: str = "ann", chat: str | None = None, **more: Any) -> int:
        self.said += 1
        return self.telegram.say(chat or user, user, text, **more)

    async def settled(self) -> None:
        """Wait until all that was said is accepted and done."""
        query = "SELECT count(*) FROM inbox WHERE state = 'done'"

        async def is_settled() -> bool:
            return int(await self.database.fetchval(query)) >= self.said

        await self.world.gateway.turns.settled(is_settled)

    async def accepted(self) -> None:
        """Wait until all that was said is in the inbox."""

        async def is_accepted() -> bool:
            return int(await self.database.fetchval("SELECT count(*) FROM inbox")) >= self.said

        await self.world.gateway.turns.settled(is_accepted)

    async def ask(self, text: str, *, user: str = "ann", chat: str | None = None, **more: Any) -> list[str]:
        """Say it and wait until all is done: what the bot has said since."""
        before = len(self.answers(chat or user))
        self.say(text, user=user, chat=chat, **more)
        await self.settled()
        return self.answers(chat or user)[before:]

    async def hear(self, words: str, *, chat: str = "ann") -> Seen:
        """Wait until the bot has said these words there."""

        def heard(messages: list[Seen]) -> Seen | None:
            return next((seen for seen in messages if seen.by_bot and words in seen.text), None)

        found: Seen = await self.telegram.wait_for(heard, chat=chat)
        return found

    def answers(self, chat: str = "ann") -> list[str]:
        return self.world.answers(chat)

    def asked(self, number: int = -1) -> list[str]:
        """What a model was shown in one call, without the instructions."""
        messages = self.model.requests[number]["messages"]
        return [message["content"] for message in messages if message["role"] != "system"]

    @asynccontextmanager
    async def fenced(self, lifted_as: str = "resume") -> AsyncIterator[None]:
        """What is said meanwhile is accepted and waits."""
        await self.database.execute(
            "INSERT INTO fences (id, reason, raised_at)"
            " VALUES (gen_random_uuid(), 'a test', now() - interval '1 minute')"
        )
        yield
        await self.accepted()
        await self.database.execute("UPDATE fences SET lifted_at = now(), lifted_as = $1", lifted_as)

    async def age(self, minutes: float, where: str = "state <> 'done'") -> None:
        """Let what was said be as old as that."""
        await self.accepted()
        past = f"now() - interval '{minutes} minutes'"
        await self.database.execute(f"UPDATE inbox SET sent_at = {past}, accepted_at = {past} WHERE {where}")

    def counted(self, metric: str, **labels: str) -> float:
        """What a metric of the gateway says now."""
        return self.world.gateway.registry.get_sample_value(f"parley_{metric}", labels) or 0.0

    async def heard(self, metric: str, times: float = 1, **labels: str) -> None:
        """Wait until the gateway has counted something so often."""

        async def is_counted() -> bool:
            return self.counted(metric, **labels) >= times

        await self.world.gateway.turns.settled(is_counted)

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.database.fetch(query, *arguments)]

    async def column(self, query: str, *arguments: Any) -> list[Any]:
        return [row[0] for row in await self.rows(query, *arguments)]

    async def outcomes(self) -> list[str]:
        """How each accepted message ended, in order."""
        return await self.column("SELECT outcome FROM inbox ORDER BY accepted_at, seq")


@asynccontextmanager
async def talking(
    folder: Path,
    database_url: str,
    redis_url: str,
    environment: dict[str, str],
    watch: Watch = look_away,
) -> AsyncIterator[Talk]:
    database = await asyncpg.connect(database_url.replace("+asyncpg", ""))
    try:
        async with open_world(folder, database_url, redis_url, environment, watch) as world:
            yield Talk(world=world, database=database)
    finally:
        await database.close()
