"""What comes in, by socket and by signed posts: once, and acknowledged after the commit."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from bots.simulators.slack import SlackSimulator
from bots.slack.adapter import SlackChannel
from core.errors import NotSent, Unauthorized
from tests.integration.slack.conftest import APP_TOKEN, BOT_TOKEN, HASTE, SECRET, Desk, Open
from tests.integration.slack.inbox import ACCOUNT, Inbox
from tests.integration.slack.running import running


async def heard(desk: Desk, count: int = 1) -> None:
    """Until so many are committed and every delivery, with its retries, is over."""
    await desk.inbox.until(lambda inbox: len(inbox.committed) >= count)
    await desk.sim.delivered()


async def test_it_says_who_it_is(channel: SlackChannel) -> None:
    identity = await channel.connect()
    assert (identity.name, identity.handle) == ("T0SIMULATED:U0SIMBOT0", "parley")


async def test_a_direct_message(desk: Desk) -> None:
    ts = desk.sim.say("ann", "ann", "1 < 2 & 3, see <https://a.example>")
    await heard(desk)
    (message,) = desk.inbox.messages
    assert message.text == "1 < 2 & 3, see <https://a.example>"
    assert (message.place.chat, message.place.thread, message.place.direct) == (
        desk.sim.chat_id("ann"),
        "",
        True,
    )
    assert (message.message_id, message.dedupe_key) == (ts, f"m:{message.place.chat}:{ts}")
    assert message.sent_at.timestamp() == pytest.approx(float(ts), abs=0.001)


async def test_a_mention_is_two_events_and_one_message_in_a_thread_of_its_own(desk: Desk) -> None:
    ts = desk.sim.say("general", "ann", "hello there", mention=True)
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 2)
    await heard(desk)
    (message,) = desk.inbox.messages
    assert (message.text, message.place.thread, message.place.direct) == ("hello there", ts, False)
    assert {one.dedupe_key for one in desk.inbox.tries} == {message.dedupe_key}


async def test_threads_go_on_where_they_are(desk: Desk) -> None:
    root = desk.sim.say("general", "ann", "no bot meant")
    desk.sim.say("general", "bob", "a thread, and what do you think", thread=root, mention=True)
    first = desk.sim.say("ann", "ann", "top")
    desk.sim.say("ann", "ann", "below", thread=first)
    await heard(desk, 3)
    assert {message.text: message.place.thread for message in desk.inbox.messages} == {
        "a thread, and what do you think": root,
        "top": "",
        "below": first,
    }


async def test_what_is_not_for_the_bot_is_acknowledged_and_left(desk: Desk) -> None:
    said = desk.sim.say("general", "ann", "to everybody")
    desk.sim.say("general", "ann", "!wow, what a day")
    desk.sim.edit("general", said, "to everybody, changed")
    desk.sim.delete("general", said)
    desk.sim.say_as_bot("general", "other", "@parley hello from a bot")
    await desk.channel.connect()
    desk.sim.say("general", "ann", "!help me")
    await heard(desk)
    said_to_us = [message for message in desk.inbox.messages if message.change != "deleted"]
    assert [message.text for message in said_to_us] == ["!help me"]
    assert all(attempt.reason is None for attempt in desk.sim.attempts)


async def test_own_messages_are_not_heard(desk: Desk) -> None:
    desk.sim.say("ann", "ann", "hi")
    await heard(desk)
    place = desk.inbox.messages[0].place
    async with aiohttp.ClientSession() as session:
        await session.post(
            f"{desk.sim.api_url}/chat.postMessage",
            json={"channel": place.chat, "text": "from me", "token": BOT_TOKEN},
        )
    desk.sim.say("ann", "ann", "again")
    await heard(desk, 2)
    assert desk.inbox.texts == ["hi", "again"]


@pytest.mark.parametrize(
    ("command", "text", "typed"),
    [
        ("/parley", "help", "/help"),
        ("/parley", "/new", "/new"),
        ("/parley", "ask what is a payload & why", "/ask what is a payload & why"),
        ("/parley", "what is a payload={} &amp; why", "/ask what is a payload={} & why"),
        ("/parley", "", "/help"),
        ("/help", "me", "/help me"),
    ],
)
async def test_a_slash_command(desk: Desk, command: str, text: str, typed: str) -> None:
    desk.sim.slash("general", "ann", command, text)
    await heard(desk)
    (message,) = desk.inbox.messages
    assert (message.text, message.sender.name, message.place.thread) == (typed, "ann", "")
    assert message.place.chat == desk.sim.chat_id("general")
    assert message.extra["response_url"].startswith(desk.sim.url)
    assert desk.sim.seen("general") == []


async def test_a_press_of_a_button_is_acknowledged(desk: Desk) -> None:
    ts = desk.sim.say("general", "ann", "a button")
    desk.sim.press("general", "ann", ts, "go")
    await desk.sim.delivered()
    assert [attempt.reason for attempt in desk.sim.attempts] == [None, None]
    assert desk.inbox.tries == []


async def test_nothing_is_acknowledged_before_the_commit(desk: Desk) -> None:
    desk.inbox.gate.clear()
    desk.sim.say("ann", "ann", "hold")
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 1)
    assert desk.sim.attempts == []
    desk.inbox.gate.set()
    await heard(desk)
    assert [(attempt.number, attempt.reason) for attempt in desk.sim.attempts] == [(0, None)]


async def test_what_could_not_be_stored_comes_again_and_counts_once(desk: Desk) -> None:
    desk.inbox.away = True
    desk.sim.say("ann", "ann", "hold on")
    if not desk.url:
        desk.sim.clock.turn(3.1)
    await desk.inbox.until(lambda inbox: len(inbox.tries) >= 1)
    if not desk.url:
        await asyncio.sleep(0)
        desk.sim.clock.turn(3.1)
    desk.inbox.away = False
    await heard(desk)
    assert desk.inbox.texts == ["hold on"]
    assert [attempt.reason is None for attempt in desk.sim.attempts] == [
        *[False] * (len(desk.sim.attempts) - 1),
        True,
    ]
    assert len(desk.sim.attempts) >= 2


async def test_a_redelivered_event_has_the_same_key(desk: Desk) -> None:
    desk.sim.fault("duplicate", copies=3)
    desk.sim.say("ann", "ann", "once")
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 4)
    await heard(desk)
    assert desk.inbox.texts == ["once"]


async def test_messages_keep_their_order(desk: Desk) -> None:
    for number in range(20):
        desk.sim.say("ann", "ann", f"message {number}")
    await heard(desk, 20)
    assert desk.inbox.texts == [f"message {number}" for number in range(20)]


async def test_a_dropped_socket_is_opened_again(open_desk: Open) -> None:
    desk = await open_desk("socket")
    desk.sim.fault("refuse_socket", status=500)
    desk.sim.sockets.drop()
    desk.sim.say("ann", "ann", "after the cut")
    await heard(desk)
    assert desk.inbox.texts == ["after the cut"]


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_a_farewell_opens_the_next_socket(open_desk: Open, reason: str) -> None:
    desk = await open_desk("socket")
    sockets, calls = desk.sim.sockets, len(desk.sim.calls)
    await sockets.disconnect(reason)
    await desk.sim.wait_for(lambda _: len(desk.sim.calls) > calls)
    await sockets.opened.wait()
    for number in range(3):  # a warned socket brings envelopes still
        desk.sim.say("ann", "ann", f"still there? {number}")
    await heard(desk, 3)
    assert [attempt.reason for attempt in desk.sim.attempts] == [None] * 3


async def test_stopping_acknowledges_nothing_that_waits(sim: SlackSimulator, channel: SlackChannel) -> None:
    inbox = Inbox()
    inbox.gate.clear()
    async with running(channel, inbox):
        await sim.sockets.opened.wait()
        sim.say("ann", "ann", "too late")
        await inbox.until(lambda inbox: len(inbox.tries) == 1)
    assert [message for message in sim.sockets.received if "envelope_id" in message] == []


@pytest.mark.parametrize(
    ("tokens", "missing"),
    [(("", APP_TOKEN, SECRET), "SLACK_BOT_TOKEN"), (("", "", ""), "SLACK_BOT_TOKEN")],
)
async def test_what_is_missing_is_named(tokens: tuple[str, str, str], missing: str) -> None:
    with pytest.raises(Unauthorized, match=missing):
        await SlackChannel(*tokens, "http://127.0.0.1:9").connect()


async def test_who_only_sends_needs_no_door(sim: SlackSimulator, inbox: Inbox) -> None:
    channel = SlackChannel(BOT_TOKEN, "", "", sim.api_url)
    await channel.connect()
    with pytest.raises(Unauthorized, match="SLACK_APP_TOKEN"):
        await channel.run(ACCOUNT, inbox)
    await channel.close()


@pytest.mark.parametrize(
    ("bot_token", "app_token", "words"),
    [
        ("xoxb-no", APP_TOKEN, "auth.test: invalid_auth"),
        (BOT_TOKEN, "xapp-no", "invalid_auth; is SLACK_APP_TOKEN"),
    ],
)
async def test_wrong_tokens_are_told_apart(
    sim: SlackSimulator, inbox: Inbox, bot_token: str, app_token: str, words: str
) -> None:
    channel = SlackChannel(bot_token, app_token, "", sim.api_url, patience=HASTE)
    with pytest.raises(Unauthorized, match=words):
        await channel.run(ACCOUNT, inbox)
    await channel.close()


async def test_a_dead_network_may_come_back() -> None:
    channel = SlackChannel(BOT_TOKEN, APP_TOKEN, "", "http://127.0.0.1:9")
    with pytest.raises(NotSent):
        await channel.connect()
    await channel.close()


async def test_a_silent_socket_is_left(inbox: Inbox) -> None:
    """A server that answers no ping: the socket looks open and brings nothing."""
    opened = asyncio.Semaphore(0)

    async def call(request: web.Request) -> web.Response:
        answer = {"ok": True, "team_id": "T1", "user_id": "U1", "user": "bot", "url": f"{base}/link"}
        return web.json_response(answer)

    async def link(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        opened.release()
        async for _ in socket:
            pass
        return socket

    app = web.Application()
    app.add_routes([web.post("/{method}", call), web.get("/link", link)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = site.name
    channel = SlackChannel(
        BOT_TOKEN, APP_TOKEN, "", base, patience=type(HASTE)(error=(0.01, 0.02), silence=0.3)
    )
    async with running(channel, inbox), asyncio.timeout(10):
        for _ in range(2):
            await opened.acquire()
    await channel.close()
    await runner.cleanup()
