"""The simulated Slack's Web API, driven by the unmodified slack_sdk, and by raw HTTP at the edges."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import MarkdownBlock, SectionBlock
from slack_sdk.web.async_client import AsyncWebClient

from bots.simulators.refusal import Refusal
from bots.simulators.slack import SlackSimulator

TOKEN = "xoxb-simulated"
TEAM = "T0SIMULATED"


@pytest.fixture
async def sim() -> AsyncIterator[SlackSimulator]:
    async with SlackSimulator(listens=()) as simulator:
        yield simulator


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def connected(sim: SlackSimulator, http: aiohttp.ClientSession, token: str = TOKEN) -> AsyncWebClient:
    return AsyncWebClient(token, base_url=sim.api_url, session=http, retry_handlers=[])


@pytest.fixture
def client(sim: SlackSimulator, http: aiohttp.ClientSession) -> AsyncWebClient:
    return connected(sim, http)


async def refusal_of(call: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


async def test_a_bot_introduces_itself(client: AsyncWebClient) -> None:
    me = await client.auth_test()
    assert (me["user"], me["team_id"]) == ("parley", TEAM)
    assert (await client.bots_info(bot=me["bot_id"]))["bot"]["user_id"] == me["user_id"]
    assert (await client.team_info())["team"]["id"] == TEAM
    assert (await client.users_info(user=me["user_id"]))["user"]["is_bot"] is True
    assert await refusal_of(client.users_info(user="U0NOBODY00")) == "user_not_found"


async def test_a_direct_message_is_answered(sim: SlackSimulator, client: AsyncWebClient) -> None:
    said = sim.say("ann", "ann", "hello")
    channel = sim.chat_id("ann")
    posted = await client.chat_postMessage(channel=channel, text="hi &lt;there&gt; *you*")
    answer = await sim.next_answer("ann")
    assert (answer.id, answer.text, answer.author) == (posted["ts"], "hi <there> you", "bot")
    assert [message.id for message in sim.seen("ann")] == [said, posted["ts"]]
    opened = await client.conversations_open(users=sim.seen("ann")[0].extra["author_id"])
    assert opened["channel"]["id"] == channel
    assert (await client.conversations_info(channel=channel))["channel"]["is_im"] is True


async def test_forms_and_json_are_both_read(sim: SlackSimulator, http: aiohttp.ClientSession) -> None:
    sim.say("general", "ann", "hello")
    url, head = f"{sim.api_url}/chat.postMessage", {"Authorization": f"Bearer {TOKEN}"}
    form = {"token": TOKEN, "channel": "#general", "blocks": '[{"type": "markdown", "text": "**form**"}]'}
    async with http.post(url, data=form) as answer:
        assert (await answer.json())["ok"] is True
    async with http.post(url, json={"channel": "general", "text": "json"}, headers=head) as answer:
        body = await answer.json()
        assert (body["ok"], body["warning"]) == (True, "missing_charset")
    for data, code in ((b"{", "invalid_json"), (b"[]", "json_not_object")):
        async with http.post(url, data=data, headers=head | {"Content-Type": "application/json"}) as answer:
            assert (answer.status, (await answer.json())["error"]) == (200, code)
    async with http.post(url, data=b"x", headers=head | {"Content-Type": "text/xml"}) as answer:
        assert (await answer.json())["error"] == "invalid_post_type"
    assert [seen.text for seen in sim.seen("general") if seen.by_bot] == ["form", "json"]


async def test_tokens_and_scopes_are_checked(sim: SlackSimulator, http: aiohttp.ClientSession) -> None:
    assert await refusal_of(connected(sim, http, "").auth_test()) == "not_authed"
    assert await refusal_of(connected(sim, http, "nonsense").auth_test()) == "invalid_auth"
    assert await refusal_of(connected(sim, http, "xapp-1").auth_test()) == "not_allowed_token_type"
    async with SlackSimulator(token=TOKEN, scopes={"chat:write"}) as strict:
        assert await refusal_of(connected(strict, http, "xoxb-other").auth_test()) == "invalid_auth"
        answer = await connected(strict, http).auth_test()
        assert answer.headers["X-OAuth-Scopes"] == "chat:write"
        strict.say("ann", "ann", "hello")
        with pytest.raises(SlackApiError) as refused:
            await connected(strict, http).conversations_history(channel=strict.chat_id("ann"))
        body = refused.value.response
        assert (body["error"], body["needed"]) == ("missing_scope", "im:history")
        assert body["provided"] == "chat:write"


async def test_unknown_methods_are_listed(sim: SlackSimulator, client: AsyncWebClient) -> None:
    assert await refusal_of(client.api_call("views.publish", json={"a": 1})) == "unknown_method"
    assert sim.unknown_methods == ["views.publish"]
    assert [call.error for call in sim.calls] == ["unknown_method"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"text": " "}, "no_text"),
        ({"text": "a", "markdown_text": "b"}, "markdown_text_conflict"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"text": "a", "blocks": [{"type": "markdown", "text": "x" * 12_001}]}, "msg_blocks_too_long"),
        ({"text": "a", "blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"text": "a", "metadata": {"event_type": "x"}}, "invalid_metadata_schema"),
    ],
)
async def test_messages_outside_the_rules_are_refused(
    sim: SlackSimulator, client: AsyncWebClient, content: dict[str, Any], code: str
) -> None:
    sim.say("general", "ann", "hello")
    assert (
        await refusal_of(client.api_call("chat.postMessage", json={"channel": "general", **content})) == code
    )
    assert not any(seen.by_bot for seen in sim.seen())


async def test_conversations_are_checked(sim: SlackSimulator, client: AsyncWebClient) -> None:
    sim.say("general", "ann", "hello")
    channel = sim.world.find("general")
    assert channel is not None
    assert await refusal_of(client.chat_postMessage(channel="C0NOWHERE0", text="a")) == "channel_not_found"
    channel.is_member = False
    assert await refusal_of(client.chat_postMessage(channel=channel.id, text="a")) == "not_in_channel"
    channel.is_archived = True
    assert await refusal_of(client.chat_postMessage(channel=channel.id, text="a")) == "is_archived"


async def test_a_text_too_long_is_truncated_when_posted_and_refused_when_updated(
    sim: SlackSimulator, client: AsyncWebClient
) -> None:
    sim.say("ann", "ann", "hello")
    posted = await client.chat_postMessage(channel=sim.chat_id("ann"), text="x" * 40_001)
    assert len(posted["message"]["text"]) == 40_000
    update = client.chat_update(channel=sim.chat_id("ann"), ts=posted["ts"], text="x" * 4_001)
    assert await refusal_of(update) == "msg_too_long"


async def test_messages_are_changed_and_deleted(sim: SlackSimulator, client: AsyncWebClient) -> None:
    theirs = sim.say("ann", "ann", "hello")
    channel = sim.chat_id("ann")
    ts = (await client.chat_postMessage(channel=channel, text="one"))["ts"]
    await client.chat_update(channel=channel, ts=ts, text="two", blocks=[MarkdownBlock(text="**two**")])
    await client.chat_update(channel=channel, ts=ts, text="two", blocks=[MarkdownBlock(text="**two**")])
    seen = sim.seen("ann")[-1]
    assert (seen.text, seen.edits) == ("two", 1)
    assert await refusal_of(client.chat_update(channel=channel, ts=theirs, text="x")) == "cant_update_message"
    assert await refusal_of(client.chat_delete(channel=channel, ts=theirs)) == "cant_delete_message"
    await client.chat_delete(channel=channel, ts=ts)
    assert await refusal_of(client.chat_update(channel=channel, ts=ts, text="x")) == "message_not_found"
    assert [message.author for message in sim.seen("ann")] == ["ann"]


async def test_pings_and_unfurls_are_recorded(sim: SlackSimulator, client: AsyncWebClient) -> None:
    sim.say("general", "ann", "hello")
    rings = "<!channel> https://a.example/x https://a.example/x.png"
    await client.chat_postMessage(channel="general", text=rings)
    loud = await sim.next_answer("general")
    assert (loud.extra["pings"], loud.extra["unfurls"]) == (["<!channel>"], ["https://a.example/x.png"])
    quiet = rings.replace("<", "&lt;").replace(">", "&gt;")
    await client.chat_postMessage(channel="general", text=quiet, unfurl_links=False, unfurl_media=False)
    shown = await sim.next_answer("general")
    assert (shown.text, shown.extra["pings"], shown.extra["unfurls"]) == (rings, [], [])


async def test_only_one_person_sees_an_ephemeral_message(sim: SlackSimulator, client: AsyncWebClient) -> None:
    sim.say("general", "ann", "hello")
    user = sim.seen()[0].extra["author_id"]
    await client.chat_postEphemeral(channel="general", user=user, text="psst")
    assert (await sim.next_answer("general")).extra["ephemeral_to"] == "ann"
    history = await client.conversations_history(channel=sim.chat_id("general"))
    assert [message["text"] for message in history["messages"]] == ["hello"]


async def test_reactions_are_added_once(sim: SlackSimulator, client: AsyncWebClient) -> None:
    ts = sim.say("general", "ann", "hello")
    await client.reactions_add(channel="general", timestamp=ts, name="eyes")
    again = client.reactions_add(channel="general", timestamp=ts, name="eyes")
    assert await refusal_of(again) == "already_reacted"
    assert sim.seen()[0].extra["reactions"] == ["eyes"]


async def test_a_status_lasts_until_the_answer_or_two_minutes(
    sim: SlackSimulator, client: AsyncWebClient
) -> None:
    ts = sim.say("ann", "ann", "hello")
    channel = sim.chat_id("ann")
    await client.assistant_threads_setStatus(channel_id=channel, thread_ts=ts, status="thinks")
    assert sim.status("ann", ts) == "thinks"
    sim.clock.turn(120)
    assert sim.status("ann", ts) == ""
    await client.assistant_threads_setStatus(channel_id=channel, thread_ts=ts, status="thinks")
    await client.chat_postMessage(channel=channel, thread_ts=ts, text="done")
    assert sim.status("ann", ts) == ""


async def test_histories_come_in_pages_with_metadata(sim: SlackSimulator, client: AsyncWebClient) -> None:
    root = sim.say("general", "ann", "one")
    channel = sim.chat_id("general")
    metadata = {"event_type": "parley", "event_payload": {"k": "key"}}
    await client.chat_postMessage(channel=channel, thread_ts=root, text="reply", metadata=metadata)
    for text in ("two", "three"):
        sim.say("general", "ann", text)
    texts = [
        [message["text"] for message in page["messages"]]
        async for page in await client.conversations_history(channel=channel, limit=2)
    ]
    assert texts == [["three", "two"], ["one"]]
    newer = await client.conversations_history(channel=channel, oldest=root)
    assert [message["text"] for message in newer["messages"]] == ["three", "two"]
    same = await client.conversations_history(channel=channel, oldest=root, inclusive=True)
    assert same["messages"][-1]["reply_count"] == 1
    thread = await client.conversations_replies(channel=channel, ts=root, include_all_metadata=True)
    assert [message.get("metadata") for message in thread["messages"]] == [None, metadata]
    plain = await client.conversations_replies(channel=channel, ts=root)
    assert all("metadata" not in message for message in plain["messages"])
    assert (
        await refusal_of(client.conversations_replies(channel=channel, ts="1.000000")) == "thread_not_found"
    )
    assert await refusal_of(client.conversations_history(channel=channel, cursor="x")) == "invalid_cursor"


async def test_limits_hold_only_when_switched_on(http: aiohttp.ClientSession) -> None:
    async with SlackSimulator(listens=(), limits=True) as sim:
        sim.say("general", "ann", "hello")
        client = connected(sim, http)
        await client.chat_postMessage(channel="general", text="one")
        with pytest.raises(SlackApiError) as refused:
            await client.chat_postMessage(channel="general", text="two")
        response = refused.value.response
        assert (response.status_code, response["error"]) == (429, "ratelimited")
        assert response.headers["Retry-After"] == "1"
        sim.clock.turn(1)
        await client.chat_postMessage(channel="general", text="three")


async def test_blocks_stand_above_the_fallback_text(sim: SlackSimulator, client: AsyncWebClient) -> None:
    sim.say("general", "ann", "hello")
    await client.chat_postMessage(channel="general", text="fallback", blocks=[SectionBlock(text="*shown*")])
    assert (await sim.next_answer()).text == "shown"


async def test_wishes_that_cannot_be_are_refused(sim: SlackSimulator) -> None:
    sim.say("ann", "ann", "hello")
    with pytest.raises(Refusal, match="only 'ann'"):
        sim.say("ann", "bob", "hello")
    with pytest.raises(Refusal, match="not a valid command"):
        sim.say("ann", "ann", "/nonsense")
    with pytest.raises(Refusal, match="no message"):
        sim.say("ann", "ann", "hello", thread="1700000000.000001")
    with pytest.raises(Refusal, match="outside of threads"):
        sim.say("ann", "ann", "/parley hi", thread="topic")
