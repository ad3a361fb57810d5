"""How a gateway starts, and what it says where it cannot: one line, never a traceback."""

import json
import socket
from pathlib import Path

import pytest
from aiohttp import web

from bots.simulators.model import ModelSimulator
from bots.simulators.telegram import TelegramSimulator
from core.store import schema
from tests.e2e.conftest import KEY
from tests.e2e.programs import SECONDS, finished, gateway
from tests.servers import free_port
from tests.world import TOKEN

LONG_SECRET = "hunter2-and-some-more"


def without(environment: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


@pytest.mark.parametrize(
    ("changes", "code", "lines"),
    [
        ({"TELEGRAM_TOKEN": None}, 2, ["no channel has credentials: set TELEGRAM_TOKEN"]),
        ({"PARLEY_ACCESS": "everybody", "PARLEY_TURNS__LEASE_SECONDS": "soon"}, 2,
         ["PARLEY_ACCESS", "PARLEY_TURNS__LEASE_SECONDS"]),
        ({"DATABASE_URL": "postgresql://nobody:" + LONG_SECRET + "@127.0.0.1:9/none"}, 1, ["the database: "]),
    ],
)  # fmt: skip
async def test_a_start_that_cannot_be_says_why_in_one_line_each(
    environment: dict[str, str], changes: dict[str, str | None], code: int, lines: list[str]
) -> None:
    around = {name: value for name, value in {**environment, **changes}.items() if value is not None}
    program = await finished("run", environment=around)
    assert await program.ended() == code
    said = program.log.splitlines()
    assert len(said) == len(lines), said
    assert all(words in line for words, line in zip(lines, sorted(said), strict=True))
    assert LONG_SECRET not in program.log


async def test_a_taken_port_that_was_asked_for(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = await finished("run", environment={**environment, "PARLEY_WEB__PORT": str(port)})
    assert (await program.ended(), len(program.log.splitlines())) == (1, 1)
    assert f"port {port} on 127.0.0.1 is taken" in program.log


async def test_an_old_schema_is_refused_with_the_command_that_mends_it(
    environment: dict[str, str], empty_database_url: str
) -> None:
    around = {**environment, "DATABASE_URL": empty_database_url}
    refused = await finished("run", environment=around)
    assert (await refused.ended(), len(refused.log.splitlines())) == (1, 1)
    assert "run `parley db upgrade` first" in refused.log
    steps = [("upgrade",), ("downgrade", "base"), ("upgrade",)]
    ran = [await finished("db", *step, environment=around) for step in steps]
    said = [(await program.ended(), program.log, program.printed.partition(";")[0]) for program in ran]
    assert said == [(0, "", f"database: {at}") for at in (schema.head(), "none", schema.head())]
    wrong = await finished("db", "downgrade", "0815", environment=around)
    assert (await wrong.ended(), len(wrong.log.splitlines())) == (1, 1), wrong.log


async def test_no_choice_of_access_keeps_the_channel_closed(
    environment: dict[str, str], telegram: TelegramSimulator
) -> None:
    telegram.say("ann", "ann", "hello")
    async with gateway(without(environment, "PARLEY_ACCESS")) as program:
        line = await program.logged("channel down", channel="telegram")
        assert line["why"].startswith("PARLEY_ACCESS is not set: choose `open`")
        status, checks = await program.checks()
        assert (status, checks["channel telegram"]["detail"]) == (200, line["why"])
        assert checks["channel telegram"]["mend"] == "Set PARLEY_ACCESS."
    assert telegram.calls == []


async def test_strangers_are_turned_away_and_named_people_are_not(
    environment: dict[str, str], telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    telegram.say("ann", "ann", "hello", user_id=501)
    telegram.say("eve", "eve", "hello", user_id=666)
    async with gateway({**environment, "PARLEY_ACCESS": "allowlist", "PARLEY_ALLOW": "telegram:501"}):
        await telegram.wait_for(lambda seen: seen[-1].text == "echo: hello", timeout=SECONDS, chat="ann")
        refusal = await telegram.next_answer("eve", timeout=SECONDS)
    assert "not let you in" in refusal.text
    assert len(model.calls) == 1


async def test_a_wrong_token(environment: dict[str, str]) -> None:
    wrong = TOKEN.replace("simulated", "wrong")
    async with gateway({**environment, "TELEGRAM_TOKEN": wrong}) as program:
        line = await program.logged("channel down", channel="telegram")
        assert "401" in line["why"]
        status, checks = await program.checks()
        assert (status, checks["channel telegram"]["state"]) == (200, "failed")
        assert "Set the right token" in checks["channel telegram"]["mend"]
    assert wrong not in program.log
    assert len([line for line in program.events if line["event"] == "channel down"]) == 1


async def test_a_channel_whose_platform_is_away_starts_when_it_comes(environment: dict[str, str]) -> None:
    port = free_port()
    async with gateway({**environment, "TELEGRAM_API_URL": f"http://127.0.0.1:{port}"}) as program:
        line = await program.logged("channel down", channel="telegram")
        assert "ConnectError" in line["why"]
        async with TelegramSimulator(port=port, token=TOKEN) as telegram:
            telegram.say("ann", "ann", "at last")
            answer = await telegram.next_answer("ann", where=lambda seen: "at last" in seen.text, timeout=40)
            assert answer.text == "echo: at last"
        await program.logged("channel up")


async def test_doctor_doors_and_a_log_without_secrets(
    environment: dict[str, str], telegram: TelegramSimulator, model: ModelSimulator
) -> None:
    around = {**environment, "PARLEY_WEB__PORT": str(free_port()), "PARLEY_LOG__LEVEL": "debug"}
    around |= {"PARLEY_MODEL": "simulated"}
    alone = await finished("doctor", "--json", environment=around)
    report = json.loads(alone.printed)
    assert await alone.ended() == 0, alone.printed
    assert {check["name"]: check["state"] for check in report["checks"]} == {
        "database": "ok", "schema": "ok", "fence": "ok", "cache": "ok", "disk": "ok", "model": "ok",
        "gateway": "off",
    }  # fmt: skip
    async with gateway(around) as program:
        telegram.say("ann", "ann", "hello")
        turn = await program.logged("turn ended")
        assert {"conversation", "message", "turn"} <= turn.keys()
        beside = await finished("doctor", environment=around)
        assert await beside.ended() == 0
        assert "channel telegram" in beside.printed
        assert beside.printed.rstrip().endswith("All is well.")
        texts = {path: await program.get(path) for path in ("/healthz", "/readyz", "/metrics", "/version")}
        assert {status for status, _ in texts.values()} == {200}
        assert json.loads(texts["/version"][1])["name"] == "parley"
        assert 'parley_turns_ended_total{channel="telegram",end="answered"} 1.0' in texts["/metrics"][1]
        shown = await finished("config", "show", environment=around)
    assert len(program.events) == len(program.log.splitlines()), "every line is JSON"
    for said in (
        program.log,
        alone.printed,
        beside.printed,
        shown.printed,
        *(text for _, text in texts.values()),
    ):
        assert TOKEN.partition(":")[2] not in said
        assert KEY not in said


async def test_a_bot_api_that_knows_only_what_is_needed(environment: dict[str, str], tmp_path: Path) -> None:
    """Any other method is a 404 there, and its long poll returns at once."""
    sent: list[str] = []
    update = {"update_id": 7, "message": {
        "message_id": 1, "date": 1_790_000_000, "text": "hello",
        "chat": {"id": 42, "type": "private"}, "from": {"id": 42, "is_bot": False, "first_name": "Ann"},
    }}  # fmt: skip

    async def answer(request: web.Request) -> web.Response:
        given = dict(await request.post()) or (await request.json() if request.can_read_body else {})
        match request.match_info["method"]:
            case "getMe":
                result: object = {"id": 4242, "is_bot": True, "first_name": "Bot", "username": "bare_bot"}
            case "getUpdates":
                result = [] if int(str(given.get("offset") or 0)) > 7 else [update]
            case "sendMessage" | "editMessageText":
                sent.append(str(given["text"]))
                chat = {"id": 42, "type": "private"}
                result = {"message_id": 2, "date": 1_790_000_000, "chat": chat, "text": given["text"]}
            case _:
                return web.json_response(
                    {"ok": False, "error_code": 404, "description": "Not Found"}, status=404
                )
        return web.json_response({"ok": True, "result": result})

    app = web.Application()
    app.add_routes([web.route("*", "/bot{token}/{method}", answer)])
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with gateway({**environment, "TELEGRAM_API_URL": f"http://127.0.0.1:{port}"}) as program:
            await program.logged("turn ended", end="answered")
    finally:
        await runner.cleanup()
    assert sent[-1] == "echo: hello"
