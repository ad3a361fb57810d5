"""A backup is restored under a gateway: nothing is sent blindly, and an operator decides how it goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from bots.app import Gateway
from bots.health import examine
from bots.simulators.discord import DiscordSimulator
from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from config.settings import load
from core.delivery import UNSURE
from core.overdue import TEXTS
from tests.conftest import execute
from tests.e2e.conftest import Start
from tests.e2e.programs import SECONDS, finished
from tests.world import running_gateway

DISCORD_TOKEN = "a.simulated.token"
LONG = [letter * 4000 for letter in "abc"]
DOUBTED = TEXTS["doubted"]


@pytest.fixture
async def discord() -> AsyncIterator[DiscordSimulator]:
    async with DiscordSimulator(token=DISCORD_TOKEN) as simulator:
        yield simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Gateways on one database, which can be copied and put back while none runs."""

    environment: Mapping[str, str]
    server: str
    backup: str
    telegram: TelegramSimulator
    discord: DiscordSimulator
    model: ModelSimulator

    @property
    def url(self) -> str:
        return self.environment["DATABASE_URL"]

    @property
    def name(self) -> str:
        return self.url.partition("?")[0].rpartition("/")[2]

    async def back_up(self) -> None:
        await self._copy(self.name, self.backup)

    async def restore(self) -> None:
        """As a dump of it would be: with another identity inside the server."""
        await execute(self.server, f"DROP DATABASE {self.name} WITH (FORCE)")
        await self._copy(self.backup, self.name)

    async def forget(self) -> None:
        await execute(self.server, f"DROP DATABASE IF EXISTS {self.backup} WITH (FORCE)")

    async def _copy(self, name: str, to: str) -> None:
        end = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
        await execute(self.server, end)
        await execute(self.server, f"CREATE DATABASE {to} TEMPLATE {name}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Gateway]:
        """A gateway in this process, connected."""
        home = Path(self.environment["PARLEY_HOME"])
        async with running_gateway(load(environ=dict(self.environment), cwd=home)) as gateway:
            await self.discord.wait_for(lambda _: self.discord.connected, timeout=SECONDS)
            yield gateway

    async def rows(self, query: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    async def reach(self, *, accepted: int, done: int = 0) -> None:
        """Asked again and again: rows tell nobody."""
        seen: list[asyncpg.Record] = []
        try:
            async with asyncio.timeout(SECONDS):
                while len(seen) < accepted or sum(row["state"] == "done" for row in seen) < done:
                    seen = await self.rows("SELECT payload->>'text', state, outcome FROM inbox")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"waited in vain, with {seen} in the inbox") from None
        assert len(seen) == accepted, seen

    async def outcomes(self) -> dict[str, str]:
        return {
            row["text"]: row["outcome"]
            for row in await self.rows("SELECT payload->>'text' AS text, outcome FROM inbox")
        }

    def told(self) -> dict[str, list[str]]:
        """What the bot said, by chat."""
        said: dict[str, list[str]] = {}
        for seen in (*self.telegram.seen(), *self.discord.seen()):
            if seen.by_bot:
                said.setdefault(seen.chat, []).append(seen.text)
        return said


@pytest.fixture
async def deployment(
    home: Path,
    telegram: TelegramSimulator,
    discord: DiscordSimulator,
    model: ModelSimulator,
    environment: Mapping[str, str],
    template: str,
    numbers: Iterator[int],
) -> AsyncIterator[Deployment]:
    around = {
        **environment,
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_GATEWAY_URL": discord.gateway_url,
        "DISCORD_TOKEN": DISCORD_TOKEN,
        "PARLEY_TELEGRAM__STREAM": "false",
    }
    deployment = Deployment(
        environment=around,
        server=template,
        backup=f"backup_{next(numbers)}",
        telegram=telegram,
        discord=discord,
        model=model,
    )
    model.answer = answer
    try:
        yield deployment
    finally:
        await deployment.forget()


def answer(messages: object) -> str:
    asked = str(messages[-1]["content"])  # type: ignore[index]
    return "\n\n".join(LONG) if asked == "long" else f"answer to {asked}"


async def interrupted(deployment: Deployment, gateway: Start) -> None:
    """Two answers are done. Then a gateway dies while one part is on its way and two wait behind it, two
    turns are open on both platforms, and one message waits."""
    telegram, discord, model = deployment.telegram, deployment.discord, deployment.model
    async with gateway(deployment.environment) as program:
        await discord.wait_for(lambda _: discord.connected, timeout=SECONDS)
        telegram.say("ann", "ann", "q-ann")
        discord.say("dora", "dora", "q-dora")
        await deployment.reach(accepted=2, done=2)
        telegram.fault("slow", method="sendMessage", chat="bob", seconds=60)
        telegram.say("bob", "bob", "long")
        await telegram.wait_for(lambda _: deployment.told().get("bob"), timeout=SECONDS)
        model.fault("stall", seconds=60, times=2)
        telegram.say("cid", "cid", "q-cid")
        discord.say("dan", "dan", "q-dan")
        await model.wait_for(lambda calls: len(calls) == 5, timeout=SECONDS)
        telegram.say("cid", "cid", "q-cid2")
        await deployment.reach(accepted=6)
        await program.kill()
    telegram.faults.clear()
    model.faults.clear()


async def test_after_a_restore_each_conversation_in_doubt_gets_one_notice(
    deployment: Deployment, gateway: Start
) -> None:
    telegram, discord = deployment.telegram, deployment.discord
    await interrupted(deployment, gateway)
    await deployment.back_up()
    async with deployment.running():  # life goes on, and the backup knows nothing of it
        telegram.say("eve", "eve", "q-eve")
        discord.say("dora", "dora", "q-dora2")
        await deployment.reach(accepted=8, done=8)
    before = deployment.told()
    assert before == {
        "ann": ["answer to q-ann"],
        "dora": ["answer to q-dora", "answer to q-dora2"],
        "bob": [LONG[0], UNSURE],
        "cid": ["answer to q-cid", "answer to q-cid2"],
        "dan": ["answer to q-dan"],
        "eve": ["answer to q-eve"],
    }
    calls = len(deployment.model.calls)

    await deployment.restore()
    async with deployment.running() as beside:
        await asyncio.sleep(1.1)  # Telegram tells whole seconds: else the next would be before the fence
        telegram.say("fay", "fay", "q-fay")
        discord.say("dot", "dot", "q-dot")
        await deployment.reach(accepted=9)  # the history of Discord tells of q-dora2, too
        report = await examine(beside.probes(ask_model=False))
        fence = next(check for check in report.checks if check.name == "fence")
        assert (report.ready, fence.state) == (True, "failed")
        assert "restored from a dump" in fence.detail
        assert beside.registry.get_sample_value("parley_fenced") == 1
        await see_status(deployment.environment)
        assert (deployment.told(), len(deployment.model.calls)) == (before, calls)

        lifted = await finished("fence", "lift", environment=deployment.environment)
        assert await lifted.ended() == 0
        assert "5 messages in 4 conversations" in lifted.printed
        await deployment.reach(accepted=9, done=9)
    assert deployment.told() == {
        "ann": before["ann"],
        "dora": [*before["dora"], DOUBTED],
        "bob": [*before["bob"], UNSURE],  # its answer is there, and /again would show it
        "cid": [*before["cid"], DOUBTED],
        "dan": [*before["dan"], DOUBTED],
        "eve": before["eve"],
        "fay": ["answer to q-fay"],
        "dot": ["answer to q-dot"],
    }
    assert await deployment.outcomes() == {
        **dict.fromkeys(("q-ann", "q-dora", "q-fay", "q-dot"), "answered"),
        **dict.fromkeys(("long", "q-cid", "q-cid2", "q-dan", "q-dora2"), "uncertain"),
    }


async def see_status(environment: Mapping[str, str]) -> None:
    status = await finished("fence", "status", "--json", environment=environment)
    assert await status.ended() == 1
    told = json.loads(status.printed)
    assert told["fenced"] is True
    assert told["before"] == {"conversations": 4, "messages": 5}
    assert told["since"] == {"messages": 2}


async def test_where_nothing_is_missing_it_goes_on_as_if_nothing_had_been(
    deployment: Deployment, gateway: Start
) -> None:
    """Moved to another server, say: the copy is all there is."""
    await interrupted(deployment, gateway)
    await deployment.back_up()
    await deployment.restore()
    async with deployment.running() as beside:
        assert beside.registry.get_sample_value("parley_fenced") == 1
        lifted = await finished("fence", "lift", "--resume", environment=deployment.environment)
        assert "4 messages in 3 conversations asked before are answered" in lifted.printed
        await deployment.reach(accepted=6, done=6)
    again = await finished("fence", "status", environment=deployment.environment)
    assert (await again.ended(), again.printed) == (0, "No fence stands: messages are answered.\n")
    assert deployment.told() == {
        "ann": ["answer to q-ann"],
        "dora": ["answer to q-dora"],
        "bob": [LONG[0], UNSURE],
        "cid": ["answer to q-cid", "answer to q-cid2"],
        "dan": ["answer to q-dan"],
    }
