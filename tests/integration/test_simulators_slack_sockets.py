"""The simulated Slack's Socket Mode, driven by the unmodified SocketModeClient and a real Bolt app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bots.simulators.changes import Changes
from bots.simulators.slack import SlackSimulator


class Inbox:
    """What one connection got; acknowledges unless told otherwise."""

    def __init__(self) -> None:
        self.requests: list[SocketModeRequest] = []
        self.said: list[dict[str, Any]] = []
        self.acknowledges = True
        self._changes = Changes()

    async def take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.requests.append(request)
        if self.acknowledges:
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
        self._changes.announce()

    async def hear(self, client: AsyncBaseSocketModeClient, message: dict[str, Any], raw: str | None) -> None:
        self.said.append(message)
        self._changes.announce()

    async def wait(self, count: int) -> list[SocketModeRequest]:
        await self._changes.wait_until(lambda: len(self.requests) >= count, 10)
        return self.requests

    async def greeted(self, count: int = 1) -> dict[str, Any]:
        def hellos() -> list[dict[str, Any]]:
            return [each for each in self.said if each.get("type") == "hello"]

        await self._changes.wait_until(lambda: len(hellos()) >= count, 10)
        return hellos()[-1]

    @property
    def events(self) -> list[dict[str, Any]]:
        return [request.payload["event"] for request in self.requests]


@asynccontextmanager
async def connected(sim: SlackSimulator) -> AsyncIterator[Inbox]:
    inbox = Inbox()
    client = SocketModeClient(
        "xapp-1", web_client=AsyncWebClient(base_url=sim.api_url, retry_handlers=[]), ping_interval=0.05
    )
    client.socket_mode_request_listeners.append(inbox.take)
    client.message_listeners.append(inbox.hear)
    await client.connect_to_new_endpoint()
    await inbox.greeted()
    try:
        yield inbox
    finally:
        await client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
async def sim() -> AsyncIterator[SlackSimulator]:
    async with SlackSimulator() as simulator:
        yield simulator


async def tried(sim: SlackSimulator, times: int) -> None:
    await sim.wait_for(lambda _: len(sim.attempts) >= times)


async def test_a_direct_message_is_one_event(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        assert (await inbox.greeted())["connection_info"] == {"app_id": "A0SIMULATED"}
        ts = sim.say("ann", "ann", "a < b")
        (request,) = await inbox.wait(1)
        assert (request.type, request.retry_attempt) == ("events_api", 0)
        payload = request.payload
        assert (payload["type"], payload["authorizations"][0]["user_id"]) == ("event_callback", "U0SIMBOT0")
        event = payload["event"]
        assert (event["type"], event["channel_type"], event["ts"]) == ("message", "im", ts)
        assert (event["text"], event["channel"]) == ("a &lt; b", sim.chat_id("ann"))
        assert event["blocks"][0]["elements"][0]["elements"] == [{"type": "text", "text": "a < b"}]
        await sim.delivered()
        assert [attempt.reason for attempt in sim.attempts] == [None]


async def test_a_mention_is_two_events_of_one_post(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        sim.say("general", "ann", "hello", mention=True)
        await inbox.wait(2)
        assert [event["type"] for event in inbox.events] == ["message", "app_mention"]
        assert len({event["ts"] for event in inbox.events}) == 1
        assert len({request.payload["event_id"] for request in inbox.requests}) == 2
        assert inbox.events[1]["text"] == "<@U0SIMBOT0> hello"
        assert sim.seen("general")[0].text == "@parley hello"


async def test_threads_edits_and_deletions(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        root = sim.say("general", "ann", "root", thread="topic")
        reply = sim.say("general", "bob", "reply", thread="topic")
        sim.edit("general", reply, "better")
        sim.delete("general", reply)
        await inbox.wait(4)
        first, second, changed, deleted = inbox.events
        assert "thread_ts" not in first
        assert second["thread_ts"] == root
        assert (changed["subtype"], changed["message"]["text"]) == ("message_changed", "better")
        assert changed["previous_message"]["text"] == "reply"
        assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", reply)
        assert [seen.text for seen in sim.seen()] == ["root"]


async def test_the_bot_hears_itself_and_an_opened_assistant(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        thread = sim.open_assistant("ann")
        client = AsyncWebClient("xoxb-1", base_url=sim.api_url)
        await client.chat_postMessage(channel=sim.chat_id("ann"), text="hi", thread_ts=thread)
        await inbox.wait(2)
        opened, own = inbox.events
        assert opened["assistant_thread"]["thread_ts"] == thread
        assert (own["bot_id"], own["user"]) == ("B0SIMULATED", "U0SIMBOT0")


async def test_another_bot_is_told_by_its_bot_id(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        ts = sim.say_as_bot("general", "deployer", "@parley done")
        await inbox.wait(2)
        assert [event["type"] for event in inbox.events] == ["message", "app_mention"]
        assert all(event["bot_id"] != "B0SIMULATED" for event in inbox.events)
        assert sim.seen("general")[0].author == "deployer"
        web = AsyncWebClient("xoxb-1", base_url=sim.api_url)
        with pytest.raises(SlackApiError, match="cant_update_message"):
            await web.chat_update(channel="general", ts=ts, text="x")


async def test_what_is_not_acknowledged_comes_three_times_more(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        inbox.acknowledges = False
        sim.say("ann", "ann", "hello")
        for number, delay in enumerate((0, 60, 300, 0), start=1):
            await inbox.wait(number)
            sim.clock.turn(3)
            await tried(sim, number)
            sim.clock.turn(delay)
        await sim.delivered()
        assert [request.retry_attempt for request in inbox.requests] == [0, 1, 2, 3]
        assert [request.retry_reason for request in inbox.requests] == ["", "timeout", "timeout", "timeout"]
        assert len({request.payload["event_id"] for request in inbox.requests}) == 1
        assert len({request.envelope_id for request in inbox.requests}) == 4


async def test_each_event_goes_to_one_of_several_connections(sim: SlackSimulator) -> None:
    async with connected(sim) as one, connected(sim) as two:
        assert (await two.greeted())["num_connections"] == 2
        for number in range(4):
            sim.say("ann", "ann", str(number))
        await one.wait(2)
        await two.wait(2)
        await sim.delivered()
        texts = [event["text"] for event in one.events + two.events]
        assert sorted(texts) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_client_that_is_told_to_go_comes_back(sim: SlackSimulator, reason: str) -> None:
    async with connected(sim) as inbox:
        await sim.sockets.disconnect(reason)
        await inbox.greeted(2)
        sim.say("ann", "ann", "after")
        await inbox.wait(1)
        assert inbox.events[0]["text"] == "after"


async def test_an_event_waits_for_a_dropped_client(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        sim.fault("drop_socket")
        sim.say("ann", "ann", "dropped")
        await inbox.wait(1)
        assert inbox.events[0]["text"] == "dropped"


async def test_what_was_said_before_anybody_listened_is_delivered(sim: SlackSimulator) -> None:
    sim.say("ann", "ann", "early")
    sim.say("ann", "ann", "too")
    async with connected(sim) as inbox:
        await inbox.wait(2)
        assert sorted(event["text"] for event in inbox.events) == ["early", "too"]


async def test_delivery_faults(sim: SlackSimulator) -> None:
    async with connected(sim) as inbox:
        sim.fault("duplicate", copies=2)
        sim.say("ann", "ann", "thrice")
        await inbox.wait(3)
        assert len({request.payload["event_id"] for request in inbox.requests}) == 1
        sim.fault("reorder")
        sim.say("ann", "ann", "first")
        sim.say("ann", "ann", "second")
        await inbox.wait(5)
        assert [event["text"] for event in inbox.events[3:]] == ["second", "first"]
        sim.fault("lose_ack")
        sim.say("ann", "ann", "twice")
        await inbox.wait(7)
        assert [request.retry_attempt for request in inbox.requests[5:]] == [0, 1]
        await sim.delivered()
        assert len(sim.faults) == 0


async def test_connections_can_be_refused(sim: SlackSimulator) -> None:
    web = AsyncWebClient(base_url=sim.api_url, retry_handlers=[])
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await web.apps_connections_open(app_token="xoxb-1")
    url = (await web.apps_connections_open(app_token="xapp-1"))["url"]
    sim.fault("refuse_socket", status=503)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url)
        assert refused.value.status == 503
        with pytest.raises(aiohttp.WSServerHandshakeError) as used:
            await http.ws_connect(url)
        assert used.value.status == 401
        url = (await web.apps_connections_open(app_token="xapp-1"))["url"]
        async with http.ws_connect(url, autoping=False) as socket:
            assert (await socket.receive_json())["type"] == "hello"
            await socket.ping(b"here")
            pong = await socket.receive()
            assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"here")


async def test_bolt_answers_messages_commands_and_presses(sim: SlackSimulator) -> None:
    app = AsyncApp(client=AsyncWebClient("xoxb-1", base_url=sim.api_url, retry_handlers=[]))

    @app.event("app_mention")
    async def mentioned(event: dict[str, Any], say: Any) -> None:
        await say(text=f"you said {event['text']}", thread_ts=event["ts"])

    @app.event("message")
    async def heard() -> None: ...

    @app.command("/parley")
    async def commanded(ack: Any, respond: Any, command: dict[str, Any]) -> None:
        await ack("thinking")
        await respond(f"*{command['text']}*", response_type="in_channel")

    @app.action("again")
    async def pressed(ack: Any, respond: Any) -> None:
        await ack()
        await respond("replaced", replace_original=True)

    handler = AsyncSocketModeHandler(app, "xapp-1")
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        ts = sim.say("general", "ann", "hello", mention=True)
        answer = await sim.next_answer("general")
        assert (answer.text, answer.extra["thread"]) == ("you said @parley hello", ts)
        sim.slash("ann", "ann", "/parley", "ask me")
        both = {(await sim.next_answer("ann")).text, (await sim.next_answer("ann")).text}
        assert both == {"thinking", "ask me"}
        sim.press("general", "ann", str(answer.id), "again")
        await sim.wait_for(lambda _: answer.text == "replaced")
        assert sim.unknown_methods == []
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


async def test_a_command_that_nobody_takes_fails_before_the_user(sim: SlackSimulator) -> None:
    sim.slash("ann", "ann", "/parley", "hello")
    (told,) = await sim.wait_for(lambda seen: seen)
    assert (told.author, told.text) == ("slackbot", "/parley failed with the error “dispatch_failed”")
    async with connected(sim) as inbox:
        inbox.acknowledges = False
        sim.say("ann", "ann", "/parley hello")
        await inbox.wait(1)
        assert inbox.requests[0].payload["channel_name"] == "directmessage"
        sim.clock.turn(3)
        last = (await sim.wait_for(lambda seen: len(seen) == 2 and seen))[-1]
        assert last.text == "/parley failed with the error “operation_timeout”"
