"""One gateway as several processes: who receives, who answers, and what a death or a stop moves where."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from signal import SIGTERM
from typing import Any

import asyncpg
import pytest

from bots.simulators.model import ModelSimulator
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from tests.e2e.conftest import Start
from tests.e2e.programs import SECONDS, Gateway, finished
from tests.e2e.test_telegram_kills import answers

SECRET = "simulated"
PEOPLE = ("ann", "bea", "cid", "dan")


@pytest.fixture
async def slack() -> AsyncIterator[SlackSimulator]:
    async with SlackSimulator(retry_delays=(0.2, 0.5, 1.0, 2.0, 4.0, 8.0)) as simulator:
        yield simulator


@pytest.fixture
def environment(environment: dict[str, str], slack: SlackSimulator) -> dict[str, str]:
    """Two channels: one that is polled by one instance only, and one that posts to whoever is named."""
    return {
        **environment,
        "SLACK_API_URL": slack.api_url,
        "SLACK_BOT_TOKEN": "xoxb-simulated",
        "SLACK_SIGNING_SECRET": SECRET,
    }


def in_role(role: str, environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "PARLEY_ROLE": role}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    poller: Gateway
    stander: Gateway
    workers: tuple[Gateway, Gateway]
    web: Gateway


@asynccontextmanager
async def running(gateway: Start, environment: Mapping[str, str]) -> AsyncIterator[House]:
    """Two that receive, two that answer, one for the pages."""
    async with AsyncExitStack() as stack:

        async def start(role: str) -> Gateway:
            return await stack.enter_async_context(gateway(in_role(role, environment)))

        poller, stander = await start("ingress"), None
        await poller.logged("channel up", channel="telegram")
        stander = await start("ingress")
        await stander.logged("channel standby", channel="telegram")
        workers = (await start("worker"), await start("worker"))
        for worker in workers:
            await worker.logged("channel up", channel="telegram", why="sends only")
            await worker.logged("channel up", channel="slack", why="sends only")
        yield House(poller=poller, stander=stander, workers=workers, web=await start("web"))


async def instances(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What `parley instances --json` says."""
    program = await finished("instances", "--json", environment=environment)
    found: list[dict[str, Any]] = json.loads(program.printed)["instances"]
    return found


async def fetch(database_url: str, query: str, *values: object) -> Any:
    connection = await asyncpg.connect(database_url.replace("postgresql+asyncpg", "postgresql"))
    try:
        return await connection.fetchval(query, *values)
    finally:
        await connection.close()


async def listed(database_url: str, query: str, wanted: str) -> None:
    """Wait until this is what a query gives; nobody tells when that changes, so it is asked again."""
    async with asyncio.timeout(SECONDS):
        while await fetch(database_url, query) != wanted:  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)


def name_of(program: Gateway) -> str:
    return str(next(line for line in program.events if line["event"] == "parley runs")["instance"])


def ended(program: Gateway) -> list[str]:
    return [line["end"] for line in program.events if line["event"] == "turn ended"]


async def each_is_ready_for_its_own_part(house: House) -> None:
    worker, _ = house.workers
    for program, part in ((house.poller, "receives"), (house.stander, "stands by"), (worker, "sends")):
        status, checks = await program.checks()
        assert status == 200
        assert part in checks["channel telegram"]["detail"]
        assert ("model" in checks) == (program is worker)
    status, checks = await house.web.checks()
    assert status == 200
    assert not any(name.startswith(("channel", "model")) for name in checks)
    for program in (worker, house.web):
        assert (await program.get("/webhooks/slack"))[0] == 404, "there is no such door"
    assert (await house.poller.get("/webhooks/slack"))[0] == 405, "there is one, to post to"
    for program, role in ((house.poller, "ingress"), (worker, "worker"), (house.web, "web")):
        told = (await program.get("/metrics"))[1]
        assert f'role="{role}"' in told
        for name in ("process_start_time_seconds", "parley_disk_free_bytes", "parley_clock_skew_seconds"):
            assert f"\n{name} " in told
        assert ("parley_channel_up{" in told) == (role == "ingress")


async def test_everybody_is_answered_once_by_those_who_answer(
    environment: dict[str, str],
    gateway: Start,
    telegram: TelegramSimulator,
    slack: SlackSimulator,
    model: ModelSimulator,
    database_url: str,
) -> None:
    """Beside two leases that do not run out in time, the dead of the same machine are found at once."""

    async def answered(chat: str, *texts: str) -> None:
        told = [f"echo: {text}" for text in texts]
        await telegram.wait_for(lambda _: answers(telegram, chat) == told, timeout=SECONDS)

    async def answered_on_slack(chat: str, *texts: str) -> None:
        told = [f"echo: {text}" for text in texts]
        await slack.wait_for(
            lambda _: [seen.text for seen in slack.seen(chat) if seen.by_bot] == told, timeout=SECONDS
        )

    async with running(gateway, {**environment, "PARLEY_TURNS__LEASE_SECONDS": "600"}) as house:
        slack.use_http(f"{house.poller.url}/webhooks/slack")
        await each_is_ready_for_its_own_part(house)
        for person in PEOPLE:
            telegram.say(person, person, "first")
            slack.say(person, person, "hello")
        for person in PEOPLE:
            await answered(person, "first")
            await answered_on_slack(person, "hello")

        model.fault("stall", seconds=60, after=1)
        telegram.say("ann", "ann", "second")
        await model.wait_for(lambda calls: calls[-1].sent_tokens == 1, timeout=SECONDS)
        one, other = house.workers
        holder = await fetch(database_url, "SELECT lease_owner FROM conversations WHERE chat = 'ann'")
        busy, idle = (one, other) if holder == name_of(one) else (other, one)
        found = {each["name"]: each for each in await instances(environment)}
        assert len(found) == 5
        assert found[name_of(house.poller)]["pid"] == house.poller.process.pid
        await busy.kill()
        await house.poller.kill()
        slack.use_http(f"{house.stander.url}/webhooks/slack")
        for person in PEOPLE[1:]:
            telegram.say(person, person, "second")
            slack.say(person, person, "again")
        for person in PEOPLE:
            await answered(person, "first", "second")
        for person in PEOPLE[1:]:
            await answered_on_slack(person, "hello", "again")

        await house.stander.logged("channel up", channel="telegram")
        left = {each["name"]: each["role"] for each in await instances(environment)}
        assert left == {name_of(house.stander): "ingress", name_of(idle): "worker", name_of(house.web): "web"}
        assert ended(house.stander) == ended(house.poller) == ended(house.web) == []
        assert set(ended(idle)) == {"answered"}
        assert "another poller" not in house.stander.log


async def test_a_stopping_worker_is_seen_to_drain_and_another_goes_on(
    environment: dict[str, str],
    gateway: Start,
    telegram: TelegramSimulator,
    model: ModelSimulator,
    database_url: str,
) -> None:
    """A rolling restart: the new one is there before the old one is gone."""
    async with (
        gateway(in_role("ingress", environment)) as ingress,
        gateway(in_role("worker", environment)) as old,
    ):
        await ingress.logged("channel up", channel="telegram")
        model.fault("stall", seconds=5, after=1)
        telegram.say("ann", "ann", "first")
        await model.wait_for(lambda calls: calls and calls[-1].sent_tokens == 1, timeout=SECONDS)
        old.send_signal(SIGTERM)
        await old.checked(
            lambda status, checks: (status, checks["instance"]["detail"]) == (503, "is stopping")
        )
        await listed(database_url, "SELECT name FROM instances WHERE draining", name_of(old))
        async with gateway(in_role("worker", environment)) as new:
            telegram.say("bea", "bea", "meanwhile")
            await new.logged("turn ended", end="answered")
            assert await old.ended() == 0
            assert (ended(old), ended(new)) == (["answered"], ["answered"])
            names = [each["name"] for each in await instances(environment)]
            assert names == [name_of(ingress), name_of(new)]
    assert (answers(telegram, "ann"), answers(telegram, "bea")) == (["echo: first"], ["echo: meanwhile"])


@pytest.mark.parametrize("role", ["ingress", "worker"])
async def test_a_role_that_needs_channels_says_so(bare: dict[str, str], role: str) -> None:
    program = await finished("run", "--role", role, environment=bare)
    assert program.process.returncode == 2
    assert "no channel has credentials: set TELEGRAM_TOKEN" in program.log


async def test_an_unknown_role_names_the_allowed(bare: dict[str, str]) -> None:
    program = await finished("run", "--role", "boss", environment=bare)
    assert program.process.returncode == 2
    assert (
        "role (the command line): 'boss' is not allowed; allowed: one of all, ingress, worker, web"
        in program.log
    )
