"""The demo's page over real HTTP, on a whole stage: three simulators, real stores, real client libraries."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from bots.demo.check import check, verdict
from bots.demo.page import create_page
from bots.demo.show import Show
from bots.demo.stage import Stage, open_stage, private
from bots.stores import Addresses
from bots.web.server import serve
from tests.world import settings_for

SECONDS = 20.0
OUR_OWN = {"Sec-Fetch-Site": "same-origin"}


class Page:
    """A browser's side: what it was served, and what it heard."""

    def __init__(self, client: ClientSession, stage: Stage) -> None:
        self.client = client
        self.stage = stage

    async def say(self, channel: str, text: str, headers: dict[str, str] | None = None) -> int:
        body = {"channel": channel, "text": text}
        async with self.client.post(
            "/say", json=body, headers=OUR_OWN if headers is None else headers
        ) as answer:
            return answer.status

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[ClientResponse]:
        async with self.client.get("/events") as stream:
            assert stream.content_type == "text/event-stream"
            yield stream


async def heard(
    stream: ClientResponse, kind: str, true: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    """The first event of a kind for which it is true."""
    async with asyncio.timeout(SECONDS):
        while True:
            block = (await stream.content.readuntil(b"\n\n")).decode()
            name, _, data = block.partition("\n")
            if name == f"event: {kind}":
                body: dict[str, Any] = json.loads(data.removeprefix("data: "))
                if true(body):
                    return body


@pytest.fixture
async def page(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Page]:
    stores = Addresses(database_url=database_url, redis_url=redis_url, is_embedded=False)
    show = Show("1.2.3")
    async with (
        open_stage(private(settings_for(tmp_path, {})), watch=show.watch, stores=stores) as stage,
        serve(create_page(show), host="127.0.0.1", port=0) as address,
        show.running(stage),
        ClientSession(address.url) as client,
    ):
        yield Page(client, stage)


async def test_the_files_are_served_under_a_strict_policy_and_name_nobody_else(page: Page) -> None:
    for path, kind in (
        ("/", "text/html"), ("/static/demo.css", "text/css"), ("/static/demo.js", "text/javascript"),
    ):  # fmt: skip
        async with page.client.get(path) as answer:
            text = await answer.text()
            policy = answer.headers["Content-Security-Policy"]
        assert (answer.status, answer.content_type) == (200, kind)
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "https://" not in text
        assert " style=" not in text
        assert " onclick=" not in text
    async with page.client.get("/static/..%2fpage.py") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("channel", ["telegram", "discord", "slack"])
async def test_what_is_said_is_answered_in_the_pane_and_its_turn_is_shown(page: Page, channel: str) -> None:
    async with page.listening() as stream:
        hello = await heard(stream, "hello", bool)
        assert channel in hello["channels"]
        assert await page.say(channel, "What is 6 * 7?") == 202
        asked = await heard(stream, "message", lambda body: body["channel"] == channel)
        assert (asked["mine"], asked["text"]) == (True, "What is 6 * 7?")
        answer = await heard(stream, "message", lambda body: "6 * 7 = 42" in body["text"])
        assert (answer["channel"], answer["mine"]) == (channel, False)
        assert "not a language model" in answer["html"]
        trace = await heard(stream, "trace", lambda body: "rows" in body)
    assert all(step["ms"] is not None for step in trace["steps"])
    assert (len(trace["steps"]), trace["channel"], trace["closed"]) == (10, channel, True)
    assert trace["usage"]["completion"] > 0
    rows = trace["rows"]
    assert [row["state"] for row in rows["inbox"]] == ["done"]
    assert [row["role"] for row in rows["messages"]] == ["user", "assistant"]
    assert {row["state"] for row in rows["outbox"]} == {"sent"}
    assert rows["model_calls"][0]["completion_tokens"] == trace["usage"]["completion"]
    assert [key["key"].partition(":")[0] for key in trace["keys"]] == ["session", "rate", "context", "active"]
    assert all(key["ttl"] > 0 for key in trace["keys"])


async def test_a_page_that_comes_later_is_told_everything(page: Page) -> None:
    async with page.listening() as stream:
        await page.say("telegram", "What is 6 * 7?")
        await heard(stream, "trace", lambda body: "rows" in body)
    async with page.listening() as stream:
        await heard(stream, "message", lambda body: "6 * 7 = 42" in body["text"])
        await heard(stream, "trace", lambda body: "rows" in body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1"},
    ],
)
async def test_only_its_own_page_may_speak(page: Page, headers: dict[str, str]) -> None:
    assert await page.say("telegram", "hello", headers) == 403
    assert page.stage.platforms["telegram"].seen() == []


async def test_another_name_for_this_machine_is_not_answered(page: Page) -> None:
    async with page.client.get("/", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 400


async def test_what_cannot_be_said_is_refused_in_words(page: Page) -> None:
    assert await page.say("fax", "hello") == 404
    assert await page.say("telegram", "") == 422
    assert await page.say("telegram", "x" * 2001) == 422
    assert await page.say("slack", "/unknown") == 400


async def test_check_asks_every_platform_and_says_when_an_answer_is_missing(page: Page) -> None:
    outcomes = await check(page.stage, SECONDS)
    assert verdict(outcomes), outcomes
    assert not verdict(await check(page.stage, 0.0))


async def test_stopping_ends_an_open_stream_at_once(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """The server's own patience is longer than this test's: only our stop signal ends the stream in time."""
    stores = Addresses(database_url=database_url, redis_url=redis_url, is_embedded=False)
    show = Show("1.2.3")
    async with (
        open_stage(private(settings_for(tmp_path, {})), watch=show.watch, stores=stores) as stage,
        asyncio.timeout(SECONDS),
        serve(create_page(show), host="127.0.0.1", port=0, grace=600) as address,
    ):
        async with show.running(stage):
            client = ClientSession(address.url)
            stream = await client.get("/events")
            await heard(stream, "hello", bool)
        await stream.content.read()
        await client.close()
