"""The simulators run alone, as a person would: started as a process, spoken to, interrupted."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

PROGRAM = "import asyncio; from bots.cli.simulate import {0}; asyncio.run({0}({1}))"


@asynccontextmanager
async def running(function: str, arguments: object = 0) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM.format(function, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def settings_of(process: asyncio.subprocess.Process) -> dict[str, str]:
    """Read the printed settings up to the blank line."""
    assert process.stdout is not None
    settings = {}
    while line := (await process.stdout.readline()).decode().strip():
        name, _, value = line.partition("=")
        settings[name] = value
    return settings


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_telegram_alone(number: signal.Signals) -> None:
    async with running("simulate_telegram") as process, aiohttp.ClientSession() as http:
        settings = await settings_of(process)
        assert set(settings) == {"TELEGRAM_API_URL", "TELEGRAM_TOKEN", "PARLEY_ACCESS"}
        url = f"{settings['TELEGRAM_API_URL']}/bot{settings['TELEGRAM_TOKEN']}"
        async with http.get(f"{url}/getMe") as answer:
            assert (await answer.json())["result"]["username"] == "parley_bot"
        waiting = asyncio.create_task(http.get(f"{url}/getUpdates", params={"timeout": 30}))
        async with http.post(
            f"{settings['TELEGRAM_API_URL']}/_sim/say", json={"chat": "ann", "user": "ann", "text": "hello"}
        ) as answer:
            assert await answer.json() == {"id": 1}
        async with await waiting as answer:
            assert (await answer.json())["result"][0]["message"]["text"] == "hello"
        process.send_signal(number)
        assert await process.wait() == 0


async def test_discord_alone() -> None:
    async with running("simulate_discord") as process, aiohttp.ClientSession() as http:
        settings = await settings_of(process)
        assert set(settings) == {"DISCORD_API_URL", "DISCORD_GATEWAY_URL", "DISCORD_TOKEN", "PARLEY_ACCESS"}
        api, token = settings["DISCORD_API_URL"], settings["DISCORD_TOKEN"]
        async with http.get(f"{api}/users/@me", headers={"Authorization": f"Bot {token}"}) as answer:
            assert (await answer.json())["username"] == "parley_bot"
        async with http.ws_connect(settings["DISCORD_GATEWAY_URL"]) as socket:
            assert (await socket.receive_json())["op"] == 10
            await socket.send_json({"op": 2, "d": {"token": token, "intents": 1 << 12}})
            assert (await socket.receive_json())["t"] == "READY"
            said = {"chat": "ann", "user": "ann", "text": "hello"}
            async with http.post(f"{api.removesuffix('/api/v10')}/_sim/say", json=said) as answer:
                number = (await answer.json())["id"]
            assert (await socket.receive_json())["d"]["id"] == number
            process.terminate()
            assert await process.wait() == 0


async def test_slack_alone() -> None:
    async with running("simulate_slack") as process, aiohttp.ClientSession() as http:
        settings = await settings_of(process)
        assert set(settings) == {"SLACK_API_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "PARLEY_ACCESS"}
        api, bearer = settings["SLACK_API_URL"], {"Authorization": f"Bearer {settings['SLACK_APP_TOKEN']}"}
        async with http.post(f"{api}/apps.connections.open", headers=bearer) as answer:
            url = (await answer.json())["url"]
        async with http.ws_connect(url) as socket:
            assert (await socket.receive_json())["type"] == "hello"
            said = {"chat": "ann", "user": "ann", "text": "hello"}
            async with http.post(f"{api.removesuffix('/api')}/_sim/say", json=said) as answer:
                ts = (await answer.json())["id"]
            assert (await socket.receive_json())["payload"]["event"]["ts"] == ts
            process.terminate()
            assert await process.wait() == 0


async def test_slack_posts_to_a_request_url() -> None:
    async with running("simulate_slack", '0, "http://127.0.0.1:1/slack"') as process:
        settings = await settings_of(process)
        assert set(settings) == {"SLACK_API_URL", "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "PARLEY_ACCESS"}
        process.terminate()
        assert await process.wait() == 0


async def test_the_model_alone() -> None:
    async with running("simulate_model") as process, aiohttp.ClientSession() as http:
        settings = await settings_of(process)
        body = {"model": settings["PARLEY_MODEL"], "messages": [{"role": "user", "content": "hello"}]}
        async with http.post(f"{settings['OPENAI_BASE_URL']}/chat/completions", json=body) as answer:
            assert (await answer.json())["choices"][0]["message"]["content"] == "echo: hello"
        process.terminate()
        assert await process.wait() == 0


async def test_a_taken_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with running("simulate_model", port) as process:
            _, errors = await process.communicate()
    assert process.returncode == 1
    wanted = f"port {port}: Address already in use; allowed: a free port, or 0 for any"
    assert errors.decode().strip() == wanted
