"""The simulated Slack's streams and its faults, through the unmodified slack_sdk."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bots.simulators.slack import SlackSimulator

TEAM = "T0SIMULATED"


@pytest.fixture
async def sim() -> AsyncIterator[SlackSimulator]:
    async with SlackSimulator(listens=()) as simulator:
        yield simulator


@pytest.fixture
async def client(sim: SlackSimulator) -> AsyncIterator[AsyncWebClient]:
    async with aiohttp.ClientSession() as http:
        yield AsyncWebClient("xoxb-1", base_url=sim.api_url, session=http, retry_handlers=[])


async def refusal_of(call: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


async def test_a_stream_grows_before_the_readers(sim: SlackSimulator, client: AsyncWebClient) -> None:
    ts = sim.say("ann", "ann", "hello")
    stream = await client.chat_stream(channel=sim.chat_id("ann"), thread_ts=ts, buffer_size=1)
    await stream.append(markdown_text="**one")
    await stream.append(markdown_text=" two**")
    seen = sim.seen("ann")[-1]
    assert (seen.text, seen.extra["streaming"], seen.extra["thread"]) == ("one two", True, ts)
    metadata = {"event_type": "parley", "event_payload": {"k": 1}}
    await stream.stop(markdown_text=" three", metadata=metadata)
    assert [version.text for version in seen.versions] == ["**one", "one two", "one two three"]
    assert seen.extra["streaming"] is False
    thread = await client.conversations_replies(channel=sim.chat_id("ann"), ts=ts, include_all_metadata=True)
    assert thread["messages"][1]["metadata"] == metadata


async def test_a_stream_in_a_channel_names_its_recipient(sim: SlackSimulator, client: AsyncWebClient) -> None:
    ts = sim.say("general", "ann", "hello")
    user = sim.seen()[0].extra["author_id"]
    given: dict[str, Any] = {"channel": sim.chat_id("general"), "thread_ts": ts}
    assert await refusal_of(client.chat_startStream(**given)) == "missing_recipient_team_id"
    given["recipient_team_id"] = TEAM
    assert await refusal_of(client.chat_startStream(**given)) == "missing_recipient_user_id"
    assert (
        await refusal_of(client.chat_startStream(**given, recipient_user_id="U0NOBODY0")) == "user_not_found"
    )
    assert (await client.chat_startStream(**given, recipient_user_id=user))["ok"]


async def test_a_stream_is_one_thing_or_the_other(sim: SlackSimulator, client: AsyncWebClient) -> None:
    ts = sim.say("ann", "ann", "hello")
    channel = sim.chat_id("ann")
    started = await client.chat_startStream(channel=channel, thread_ts=ts, markdown_text="text")
    running = {"channel": channel, "ts": started["ts"]}
    mixed = client.chat_appendStream(**running, chunks=[{"type": "markdown_text", "text": "x"}])
    assert await refusal_of(mixed) == "streaming_mode_mismatch"
    assert await refusal_of(client.chat_update(**running, text="x")) == "streaming_state_conflict"
    assert await refusal_of(client.chat_delete(**running)) == "cant_delete_message"
    assert await refusal_of(client.chat_appendStream(**running)) == "no_text"
    await client.chat_stopStream(**running)
    for call in (client.chat_appendStream(**running, markdown_text="x"), client.chat_stopStream(**running)):
        assert await refusal_of(call) == "message_not_in_streaming_state"
    await client.chat_update(**running, text="now it can be changed")
    assert sim.seen("ann")[-1].text == "now it can be changed"


async def test_only_own_running_streams_grow(sim: SlackSimulator, client: AsyncWebClient) -> None:
    ts = sim.say("ann", "ann", "hello")
    channel = sim.chat_id("ann")
    theirs = client.chat_appendStream(channel=channel, ts=ts, markdown_text="x")
    assert await refusal_of(theirs) == "message_not_owned_by_app"
    nothing = client.chat_appendStream(channel=channel, ts="1.000000", markdown_text="x")
    assert await refusal_of(nothing) == "message_not_found"
    long = client.chat_startStream(channel=channel, thread_ts=ts, markdown_text="x" * 12_001)
    assert await refusal_of(long) == "msg_too_long"


async def test_the_platform_may_end_a_stream(sim: SlackSimulator, client: AsyncWebClient) -> None:
    ts = sim.say("ann", "ann", "hello")
    stream = await client.chat_stream(channel=sim.chat_id("ann"), thread_ts=ts, buffer_size=1)
    await stream.append(markdown_text="one")
    sim.fault("end_stream", method="chat.appendStream")
    assert await refusal_of(stream.append(markdown_text="two")) == "message_not_in_streaming_state"
    assert sim.seen("ann")[-1].extra["streaming"] is False


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ({"kind": "too_many_requests", "seconds": 7}, 429, "ratelimited"),
        ({"kind": "server_error"}, 500, "internal_error"),
        ({"kind": "server_error", "status": 503}, 503, "service_unavailable"),
        ({"kind": "fatal_error"}, 200, "fatal_error"),
        ({"kind": "token_revoked", "method": "chat.postMessage"}, 200, "token_revoked"),
        ({"kind": "missing_scope"}, 200, "missing_scope"),
        ({"kind": "edit_window_closed", "chat": "ann"}, 200, "edit_window_closed"),
    ],
)
async def test_faults_in_the_platforms_form(
    sim: SlackSimulator, client: AsyncWebClient, fault: dict[str, Any], status: int, code: str
) -> None:
    sim.say("ann", "ann", "hello")
    sim.fault(**fault)
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=sim.chat_id("ann"), text="x")
    response = refused.value.response
    assert (response.status_code, response["error"]) == (status, code)
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert len(sim.seen("ann")) == 1
    await client.chat_postMessage(channel=sim.chat_id("ann"), text="x")


async def test_faults_of_the_line(sim: SlackSimulator, client: AsyncWebClient) -> None:
    sim.say("ann", "ann", "hello")
    channel = sim.chat_id("ann")
    sim.fault("reset")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=channel, text="lost")
    sim.fault("html", status=502)
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=channel, text="lost")
    assert refused.value.response.status_code == 502
    assert len(sim.seen("ann")) == 1
    sim.fault("accept_then_drop")
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=channel, text="dropped")
    sim.fault("accept_then_error")
    assert await refusal_of(client.chat_postMessage(channel=channel, text="belied")) == "internal_error"
    sim.fault("slow", seconds=0.01)
    await client.chat_postMessage(channel=channel, text="slow")
    assert [seen.text for seen in sim.seen("ann")] == ["hello", "dropped", "belied", "slow"]
