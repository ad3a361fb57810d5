"""The simulated Slack's HTTP events, posted to a real Bolt app and to a listener of our own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bots.simulators.changes import Changes
from bots.simulators.server import LoopbackServer
from bots.simulators.slack import SIGNING_SECRET, SlackSimulator


class Listener:
    """A request URL that keeps what it gets and answers as told."""

    def __init__(self) -> None:
        self.server = LoopbackServer()
        self.server.add_routes([web.post("/slack", self._take)])
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.slow = False
        self._changes = Changes()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.got.append(({name.lower(): value for name, value in request.headers.items()}, body))
        self._changes.announce()
        if self.slow:
            await self.server.pause(60)
        return web.Response(status=self.status, headers=self.headers)

    async def wait(self, count: int) -> None:
        await self._changes.wait_until(lambda: len(self.got) >= count, 10)

    @property
    def retries(self) -> list[tuple[str | None, str | None]]:
        return [(head.get("x-slack-retry-num"), head.get("x-slack-retry-reason")) for head, _ in self.got]


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    await listener.server.start()
    yield listener
    await listener.server.stop()


@pytest.fixture
async def sim(listener: Listener) -> AsyncIterator[SlackSimulator]:
    async with SlackSimulator(request_url=f"{listener.server.url}/slack") as simulator:
        yield simulator


@asynccontextmanager
async def bolt(sim: SlackSimulator, app: AsyncApp) -> AsyncIterator[None]:
    async def take(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    server = LoopbackServer()
    server.add_routes([web.post("/slack/events", take)])
    await server.start()
    sim.use_http(f"{server.url}/slack/events")
    try:
        yield
    finally:
        await server.stop()


async def tried(sim: SlackSimulator, times: int) -> None:
    await sim.wait_for(lambda _: len(sim.attempts) >= times)


async def test_an_event_is_posted_and_signed(sim: SlackSimulator, listener: Listener) -> None:
    sim.say("ann", "ann", "grüß dich")
    await sim.delivered()
    ((headers, body),) = listener.got
    assert SignatureVerifier(SIGNING_SECRET).is_valid_request(body, headers)
    assert not SignatureVerifier("other").is_valid_request(body, headers)
    assert headers["content-type"] == "application/json"
    assert listener.retries == [(None, None)]


async def test_an_error_is_tried_again_at_once_after_a_minute_and_after_five(
    sim: SlackSimulator, listener: Listener
) -> None:
    listener.status = 500
    sim.say("ann", "ann", "hello")
    for number, delay in ((2, 60), (3, 300)):
        await tried(sim, number)
        sim.clock.turn(delay)
    await sim.delivered()
    first, second, third, fourth = (attempt.at for attempt in sim.attempts)
    assert second - first < 60 <= third - second
    assert fourth - third >= 300
    assert listener.retries == [(None, None), *((str(number), "http_error") for number in (1, 2, 3))]
    assert len({body for _, body in listener.got}) == 1


async def test_a_slow_answer_is_none(sim: SlackSimulator, listener: Listener) -> None:
    listener.slow = True
    sim.say("ann", "ann", "hello")
    await listener.wait(1)
    listener.slow = False
    sim.clock.turn(3)
    await sim.delivered()
    assert listener.retries == [(None, None), ("1", "http_timeout")]


async def test_an_app_may_ask_for_no_retry(sim: SlackSimulator, listener: Listener) -> None:
    listener.status, listener.headers = 503, {"X-Slack-No-Retry": "1"}
    sim.say("ann", "ann", "hello")
    await sim.delivered()
    assert len(listener.got) == 1


async def test_nobody_at_the_address_is_a_failure_too(sim: SlackSimulator, listener: Listener) -> None:
    address = f"{listener.server.url}/slack"
    sim.use_http("http://127.0.0.1:1/slack")
    sim.say("ann", "ann", "hello")
    await tried(sim, 2)
    sim.use_http(address)
    sim.clock.turn(60)
    await sim.delivered()
    assert listener.retries == [("2", "connection_failed")]


async def test_faults_of_delivery(sim: SlackSimulator, listener: Listener) -> None:
    sim.fault("duplicate", percent=100, seed=1)
    sim.say("ann", "ann", "twice")
    await sim.delivered()
    assert len({body for _, body in listener.got}) == 1
    assert len(listener.got) == 2
    sim.fault("lose_ack")
    sim.say("ann", "ann", "again")
    await sim.delivered()
    assert listener.retries[2:] == [(None, None), ("1", "http_timeout")]
    sim.fault("reorder")
    sim.say("general", "ann", "hello", mention=True)
    await sim.delivered()
    assert [b"app_mention" in body for _, body in listener.got[4:]] == [True, False]


async def test_bolt_is_shaken_hands_with_and_refuses_forgeries() -> None:
    async with SlackSimulator() as sim:
        client = AsyncWebClient("xoxb-1", base_url=sim.api_url, retry_handlers=[])
        app = AsyncApp(client=client, signing_secret=SIGNING_SECRET, process_before_response=True)
        heard: list[str] = []

        @app.event("message")
        async def hear(event: dict[str, Any]) -> None:
            heard.append(event["text"])

        async with bolt(sim, app):
            assert await sim.probes.verify()
            assert (await sim.probes.check_ssl()).status == 200
            statuses = [
                (await sim.probes.event("ann", "ann", "good")).status,
                (await sim.probes.event("ann", "ann", "forged", secret="guessed")).status,
                (await sim.probes.event("ann", "ann", "stale", age=301)).status,
                (await sim.probes.event("ann", "ann", "odd", headers={"X-Slack-Signature": "v0=x"})).status,
            ]
            assert statuses == [200, 401, 401, 401]
            assert heard == ["good"]
            assert sim.seen() == []


async def test_bolt_answers_over_http() -> None:
    async with SlackSimulator() as sim:
        client = AsyncWebClient("xoxb-1", base_url=sim.api_url, retry_handlers=[])
        app = AsyncApp(client=client, signing_secret=SIGNING_SECRET, process_before_response=True)

        @app.event("message")
        async def hear(event: dict[str, Any], say: Any) -> None:
            await say(f"you said {event['text']}")

        @app.command("/parley")
        async def command(ack: Any, command: dict[str, Any]) -> None:
            await ack(f"hello {command['user_name']}: {command['text']}")

        @app.action("again")
        async def press(ack: Any, body: dict[str, Any], say: Any) -> None:
            await ack()
            await say(f"pressed {body['actions'][0]['value']}")

        async with bolt(sim, app):
            sim.say("ann", "ann", "hello")
            answer = await sim.next_answer("ann")
            assert answer.text == "you said hello"
            sim.slash("ann", "ann", "/parley", "a & b")
            told = await sim.next_answer("ann")
            assert (told.text, told.extra["ephemeral_to"]) == ("hello ann: a & b", "ann")
            sim.press("ann", "ann", str(answer.id), "again", "x")
            assert (await sim.next_answer("ann")).text == "pressed x"
            await sim.delivered()


async def test_a_response_url_works_five_times_for_half_an_hour(
    sim: SlackSimulator, listener: Listener
) -> None:
    sim.slash("general", "ann", "/parley", "hello")
    await listener.wait(1)
    form = dict(field.split("=", 1) for field in listener.got[0][1].decode().split("&"))
    url = form["response_url"].replace("%3A", ":").replace("%2F", "/")
    async with aiohttp.ClientSession() as http:
        for number in range(5):
            async with http.post(url, json={"text": f"<!channel> {number}"}) as answer:
                assert (answer.status, await answer.text()) == (200, "ok")
        async with http.post(url, json={"text": "one too many"}) as answer:
            assert (answer.status, (await answer.json())["error"]) == (404, "used_url")
        sim.slash("general", "ann", "/parley", "hello")
        await listener.wait(2)
        sim.clock.turn(1801)
        later = url.replace("/1/", "/2/")
        async with http.post(later, json={"text": "too late"}) as answer:
            assert (await answer.json())["error"] == "expired_url"
    assert len(sim.seen("general")) == 5


async def test_an_acknowledgement_without_words_is_an_error_before_the_user() -> None:
    async with SlackSimulator() as sim:
        client = AsyncWebClient("xoxb-1", base_url=sim.api_url, retry_handlers=[])
        app = AsyncApp(client=client, signing_secret=SIGNING_SECRET, process_before_response=True)

        @app.command("/parley")
        async def command(ack: Any) -> None:
            await ack(response_type="in_channel")

        async with bolt(sim, app):
            sim.slash("ann", "ann", "/parley")
            (told,) = await sim.wait_for(lambda seen: seen)
            assert told.text == "/parley failed with the error “invalid_command_response”"


async def test_it_is_driven_from_outside(sim: SlackSimulator, listener: Listener) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.post(
            f"{sim.url}/_sim/say", json={"chat": "general", "user": "ann", "text": "@parley hi"}
        ) as said:
            ts = (await said.json())["id"]
        async with http.get(f"{sim.url}/_sim/seen", params={"chat": "general"}) as seen:
            (message,) = (await seen.json())["messages"]
            assert (message["id"], message["author"], message["text"]) == (ts, "ann", "@parley hi")
        async with http.post(f"{sim.url}/_sim/fault", json={"kind": "nonsense"}) as fault:
            assert "nonsense" in (await fault.json())["error"]
        async with http.post(
            f"{sim.url}/_sim/say", json={"chat": "general", "user": "ann", "text": "/parley help"}
        ) as said:
            assert said.status == 200
    await listener.wait(3)
