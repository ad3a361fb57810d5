"""A store goes away while people talk: nothing acknowledged is lost, and it heals by itself."""

import asyncio
import os
from pathlib import Path
from signal import SIGTERM
from urllib.parse import parse_qs, urlsplit

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from tests.e2e.cable import plugged
from tests.e2e.conftest import Start
from tests.e2e.programs import SECONDS
from tests.e2e.test_telegram_kills import answers
from tests.servers import running_valkey

GONE = (503, "failed")
AWAY = float(os.environ.get("PARLEY_TEST_OUTAGE_SECONDS", "0"))
"""How much longer Postgres stays away than it takes to notice; 10 by hand."""


async def test_postgres_away(
    environment: dict[str, str],
    gateway: Start,
    telegram: TelegramSimulator,
    model: ModelSimulator,
    database_url: str,
) -> None:
    async def said(chat: str, text: str) -> None:
        await telegram.wait_for(lambda seen: seen[-1].text == text, timeout=SECONDS, chat=chat)

    people = {f"person{number}": "meanwhile" for number in range(5)}
    place = urlsplit(database_url)
    async with plugged(Path(parse_qs(place.query)["host"][0]) / ".s.PGSQL.5432") as cable:
        url = f"postgresql+asyncpg://{place.username}@127.0.0.1:{cable.port}{place.path}"
        async with gateway({**environment, "DATABASE_URL": url}) as program:
            telegram.say("ann", "ann", "before")
            await said("ann", "echo: before")
            model.fault("stall", seconds=2, after=1)
            telegram.say("bea", "bea", "begun")
            await model.wait_for(lambda calls: calls[-1].sent_tokens == 1, timeout=SECONDS)
            await cable.pull()
            for person, text in people.items():
                telegram.say(person, person, text)
            await program.checked(lambda status, checks: (status, checks["database"]["state"]) == GONE)
            assert (await program.get("/healthz"))[0] == 200
            await asyncio.sleep(AWAY)
            telegram.say("ann", "ann", "at its end")
            await cable.plug()
            await program.checked(lambda status, checks: status == 200)
            for chat, text in {"ann": "at its end", "bea": "begun", **people}.items():
                await said(chat, f"echo: {text}")
            program.send_signal(SIGTERM)  # whatever else it wanted to say comes out
            assert await program.ended() == 0
    assert answers(telegram, "ann") == ["echo: before", "echo: at its end"]
    assert answers(telegram, "bea") == ["echo: begun"]
    assert [answers(telegram, chat) for chat in people] == [["echo: meanwhile"]] * len(people)


async def test_told_to_stop_while_postgres_is_away(
    environment: dict[str, str],
    gateway: Start,
    telegram: TelegramSimulator,
    model: ModelSimulator,
    database_url: str,
) -> None:
    place = urlsplit(database_url)
    async with plugged(Path(parse_qs(place.query)["host"][0]) / ".s.PGSQL.5432") as cable:
        url = f"postgresql+asyncpg://{place.username}@127.0.0.1:{cable.port}{place.path}"
        short = {"DATABASE_URL": url, "PARLEY_TURNS__DRAIN_SECONDS": "4"}
        async with gateway({**environment, **short}) as program:
            model.fault("stall", seconds=60, after=1)
            telegram.say("ann", "ann", "begun")
            await model.wait_for(lambda calls: bool(calls) and calls[-1].sent_tokens == 1, timeout=SECONDS)
            await cable.pull()
            program.send_signal(SIGTERM)
            assert await program.ended() == 0


async def test_redis_away_and_wiped(
    environment: dict[str, str], gateway: Start, telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    async with (
        running_valkey(tcp=True) as valkey,
        gateway({**environment, "REDIS_URL": valkey.url}) as program,
    ):

        async def talk(text: str) -> None:
            telegram.say("ann", "ann", text)
            await telegram.wait_for(lambda seen: seen[-1].text == f"echo: {text}", timeout=SECONDS)

        await talk("before")
        await valkey.ask("FLUSHALL")
        await talk("wiped")
        assert [message["content"] for message in model.requests[-1]["messages"]][1:] == [
            "before", "echo: before", "wiped",
        ]  # fmt: skip
        await valkey.kill()
        await talk("away")
        await program.checked(lambda status, checks: checks["cache"]["state"] == "degraded" and status == 200)
        assert "parley_cache_degraded 1.0" in (await program.get("/metrics"))[1]
        await valkey.start()
        await program.checked(lambda _, checks: checks["cache"]["state"] == "ok")
        await talk("back")
        assert "parley_cache_degraded 0.0" in (await program.get("/metrics"))[1]
        assert len(model.requests[-1]["messages"]) == 8
