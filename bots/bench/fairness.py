"""The bench of fairness: one person asks, one question after another, first alone and then while a thousand
messages of another person wait for the same gateway.

A gateway process as an operator starts it, with all defaults but the limit of messages a minute (which would
refuse the flood), against a simulated Telegram and a model that takes its time. Everything that is told is
seen from outside: by the platform's clock, and in the database's rows.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bots.bench.machine import describe
from bots.bench.servers import watch
from bots.bench.waits import Fairness, Wait, Waits
from bots.simulators.ledger import Seen
from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from bots.torture.crowd import answer, asked, numbers_of
from bots.torture.instances import Instance, gateway_environment
from core.store import schema
from core.store.database import open_engine

TOKEN = "4242:simulated-token-for-a-bench"
BOT = "parley_bot"
FIRST_WORD_SECONDS = 0.3
WORDS, WORDS_PER_SECOND = 20, 100.0
LEASE_SECONDS = 30.0
PATIENCE = 600.0
WARM = 3
"""Questions that are not counted: connections and statements are made with them."""
LOOK_SECONDS = 0.2
LEFT = """
    SELECT count(*) FILTER (WHERE i.state <> 'done') AS left_over, count(*) AS accepted
      FROM inbox i JOIN users u ON u.id = i.user_id WHERE u.channel_user_id = :user"""
BEGUN = """
    SELECT extract(epoch FROM t.started_at - i.accepted_at)::float8
      FROM inbox i JOIN turns t ON t.id = i.turn_id WHERE i.payload->>'text' LIKE :words"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Somebody's messages, over so many groups. `asks` are commands, each a turn of its own; plain messages
    are merged. `joined`: the other person asks in that group too, which is one talk with one order
    and nobody's to jump: told, not judged. `drains`: all of it is answered before the next one."""

    name: str
    groups: int
    asks: bool = True
    joined: bool = False
    drains: bool = True


FLOODS = (
    Flood(name="20 chats", groups=20),
    Flood(name="200 chats", groups=200),
    Flood(name="the same chat", groups=1, asks=False, joined=True),
    Flood(name="one chat", groups=1, drains=False),
)
"""The last one is far from being answered when the measuring is over."""


async def bench_fairness(
    database_url: str,
    redis_url: str,
    home: Path,
    *,
    questions: int,
    messages: int = 1000,
    floods: tuple[Flood, ...] = FLOODS,
    say: Say = lambda line: None,
) -> Fairness:
    """Measure on empty servers of this machine; the gateway's folder is made in `home`."""
    async with watch(database_url, redis_url) as servers, _open(database_url, redis_url, home) as town:
        await town.ask("ben", WARM)
        say(f"{questions} questions alone")
        alone = await town.ask("ben", questions)
        waits = []
        for flood in floods:
            say(f"{questions} questions behind {messages} messages, {flood.name}")
            waits.append(await town.behind(flood, messages, questions))
        about = describe(servers.versions) | {
            "run": f"{questions} questions, {messages} messages, an answer takes the model"
            f" {FIRST_WORD_SECONDS + WORDS / WORDS_PER_SECOND:g} s"
        }
    return Fairness(alone=Waits(name="alone", waits=alone), floods=waits, about=about)


@asynccontextmanager
async def _open(database_url: str, redis_url: str, home: Path) -> AsyncIterator["Town"]:
    await schema.upgrade(database_url)
    engine = open_engine(database_url)
    try:
        async with TelegramSimulator(token=TOKEN, username=BOT) as telegram, ModelSimulator() as model:
            model.answer = lambda messages: answer(asked(messages), WORDS)
            model.latency, model.tokens_per_second = FIRST_WORD_SECONDS, WORDS_PER_SECOND
            told = {
                "TELEGRAM_API_URL": telegram.url,
                "TELEGRAM_TOKEN": TOKEN,
                "PARLEY_LIMITS__USER_PER_MINUTE": "1000000",
            }
            around = gateway_environment(
                [told], model=model.url, database=database_url, redis=redis_url, lease=LEASE_SECONDS
            )
            instance = Instance(home / "gateway", around, ("telegram",))
            await instance.start()
            try:
                await instance.until_ready()
                yield Town(telegram, engine)
            finally:
                await instance.kill()
    finally:
        await engine.dispose()


class Town:
    """Who talks, and what they see. Each message has a number of its own, which its answer names."""

    def __init__(self, telegram: TelegramSimulator, engine: AsyncEngine) -> None:
        self._telegram = telegram
        self._engine = engine
        self._number = 0

    async def ask(self, chat: str, times: int) -> list[Wait]:
        """One question after another, each when the answer to the one before is there."""
        return [await self._ask(chat) for _ in range(times)]

    async def behind(self, flood: Flood, messages: int, questions: int) -> Waits:
        """The same, for as long as anything of the flood waits."""
        chat = f"{flood.name} 0" if flood.joined else "ben"
        user = self._say_all(flood, messages)
        await self._until(user, lambda left, accepted: accepted == messages)
        waits: list[Wait] = []
        behind: list[int] = []
        while len(waits) < questions and (left := (await self._count(user))[0]):
            behind.append(left)
            waits.append(await self._ask(chat))
        if flood.drains:
            await self._until(user, lambda left, accepted: not left)
        first_and_last = (behind[0], behind[-1]) if behind else (0, 0)
        return Waits(name=flood.name, waits=waits, behind=first_and_last, judged=not flood.joined)

    def _say_all(self, flood: Flood, messages: int) -> str:
        """At once, by somebody who says nothing else; the id of whoever did."""
        for number in range(messages):
            group = f"{flood.name} {number % flood.groups}"
            self._say(group, f"ann of {flood.name}", "/ask" if flood.asks else f"@{BOT}")
        return str(self._telegram.world.ledger.last.extra["author_id"])

    async def _ask(self, chat: str) -> Wait:
        """What is whole names the question; the platform's clock says when it was."""
        question = self._say(chat, "ben", "" if chat == "ben" else f"@{BOT}")
        number = self._number

        def answered(seen: list[Seen]) -> Seen | None:
            return next((one for one in reversed(seen) if number in (numbers_of(one.text) or ())), None)

        shown: Seen = await self._telegram.wait_for(answered, PATIENCE, chat=chat)
        return Wait(begun=await self._begun(number), shown=shown.versions[-1].at - question.versions[0].at)

    def _say(self, chat: str, user: str, before: str) -> Seen:
        self._number += 1
        self._telegram.say(chat, user, f"{before} m{self._number} is what I ask".strip())
        return self._telegram.world.ledger.last

    async def _begun(self, number: int) -> float:
        async with self._engine.connect() as connection:
            return float(await connection.scalar(text(BEGUN), {"words": f"%m{number} %"}))

    async def _until(self, user: str, reached: Callable[[int, int], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not reached(*await self._count(user)):  # noqa: ASYNC110 - rows ring no bell
                await asyncio.sleep(LOOK_SECONDS)

    async def _count(self, user: str) -> tuple[int, int]:
        """How many of a person's messages are not done, and how many there are."""
        async with self._engine.connect() as connection:
            left, accepted = (await connection.execute(text(LEFT), {"user": user})).one()
        return left, accepted
