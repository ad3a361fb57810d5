"""The simulated Telegram, driven by the unmodified python-telegram-bot, and by raw HTTP at the edges."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    MessageEntity,
    ReplyParameters,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut
from telegram.request import HTTPXRequest

from bots.simulators.refusal import Refusal
from bots.simulators.telegram import TelegramSimulator

TOKEN = "700001:simulated"
# The library announces, in every RetryAfter, that the wait becomes a timedelta one day.
waits_may_be_numbers = pytest.mark.filterwarnings("ignore:.*`retry_after` will be of type")


@pytest.fixture
async def sim() -> AsyncIterator[TelegramSimulator]:
    async with TelegramSimulator() as simulator:
        yield simulator


@asynccontextmanager
async def connected(sim: TelegramSimulator, token: str = TOKEN) -> AsyncIterator[Bot]:
    # Loading certificates for each test would take longer than the test; loopback has none.
    requests = [HTTPXRequest(httpx_kwargs={"verify": False}) for _ in range(2)]
    async with Bot(
        token, base_url=f"{sim.url}/bot", request=requests[0], get_updates_request=requests[1]
    ) as bot:
        yield bot


@pytest.fixture
async def bot(sim: TelegramSimulator) -> AsyncIterator[Bot]:
    async with connected(sim) as bot:
        yield bot


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def call(
    http: aiohttp.ClientSession, sim: TelegramSimulator, method: str, **params: Any
) -> dict[str, Any]:
    async with http.post(f"{sim.url}/bot{TOKEN}/{method}", json=params) as answer:
        body: dict[str, Any] = await answer.json()
        assert body["ok"] == (answer.status == 200)
        return body


async def test_a_bot_introduces_itself(bot: Bot) -> None:
    assert bot.id == 700001
    assert bot.username == "parley_bot"
    assert bot.can_read_all_group_messages is False


async def test_a_private_message_is_fetched_and_answered(sim: TelegramSimulator, bot: Bot) -> None:
    said = sim.say("ann", "ann", "hello")
    (update,) = await bot.get_updates(timeout=5)
    assert update.message is not None
    assert (update.message.message_id, update.message.text) == (said, "hello")
    assert update.message.chat.type == "private"
    assert update.message.from_user is not None
    assert update.message.chat.id == update.message.from_user.id == sim.chat_id("ann")
    await bot.send_message(update.message.chat.id, "hi there")
    answer = await sim.next_answer("ann")
    assert (answer.text, answer.author, answer.edits) == ("hi there", "bot", 0)
    assert [message.author for message in sim.seen("ann")] == ["ann", "bot"]


async def test_an_update_is_forgotten_only_by_a_higher_offset(sim: TelegramSimulator, bot: Bot) -> None:
    sim.say("ann", "ann", "one")
    sim.say("ann", "ann", "two")
    first = await bot.get_updates()
    again = await bot.get_updates()
    assert [update.update_id for update in first] == [update.update_id for update in again]
    same = await bot.get_updates(offset=first[0].update_id)
    assert len(same) == 2
    rest = await bot.get_updates(offset=first[0].update_id + 1)
    assert [update.message.text for update in rest if update.message] == ["two"]
    assert await bot.get_updates(offset=first[1].update_id + 1) == ()


async def test_a_negative_offset_keeps_the_last_and_forgets_the_rest(
    sim: TelegramSimulator, bot: Bot
) -> None:
    for text in ("one", "two", "three"):
        sim.say("ann", "ann", text)
    last = await bot.get_updates(offset=-1)
    assert [update.message.text for update in last if update.message] == ["three"]
    assert len(await bot.get_updates()) == 1


async def test_a_long_poll_ends_with_the_first_message(sim: TelegramSimulator, bot: Bot) -> None:
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await sim.wait_for(lambda _: any(call.method == "getUpdates" for call in sim.calls))
    sim.say("ann", "ann", "now")
    (update,) = await polling
    assert update.message is not None
    assert update.message.text == "now"


async def test_updates_are_kept_for_a_day(sim: TelegramSimulator, bot: Bot) -> None:
    sim.say("ann", "ann", "yesterday")
    sim.clock.turn(23 * 3600)
    assert len(await bot.get_updates()) == 1
    sim.clock.turn(2 * 3600)
    assert await bot.get_updates() == ()


async def test_after_a_week_of_silence_ids_begin_anew_and_an_old_offset_loses_nothing(
    sim: TelegramSimulator, bot: Bot
) -> None:
    sim.say("ann", "ann", "before")
    (before,) = await bot.get_updates()
    assert await bot.get_updates(offset=before.update_id + 1) == ()
    sim.clock.turn(8 * 24 * 3600)
    sim.say("ann", "ann", "after")
    (after,) = await bot.get_updates(offset=before.update_id + 1)
    assert after.update_id < before.update_id


async def test_of_two_pollers_the_waiting_one_is_ended(sim: TelegramSimulator, bot: Bot) -> None:
    async with connected(sim) as other:
        waiting = asyncio.create_task(bot.get_updates(timeout=30))
        await sim.wait_for(lambda _: any(call.method == "getUpdates" for call in sim.calls))
        newer = asyncio.create_task(other.get_updates(timeout=30))
        with pytest.raises(Conflict, match="terminated by other getUpdates request"):
            await waiting
        sim.say("ann", "ann", "to the newer")
        assert len(await newer) == 1


async def test_limit_and_allowed_updates(sim: TelegramSimulator, bot: Bot) -> None:
    await bot.get_updates(allowed_updates=["edited_message"])
    said = sim.say("ann", "ann", "unseen")
    sim.edit("ann", said, "seen")
    sim.edit("ann", said, "seen again")
    (update,) = await bot.get_updates(limit=1)
    assert update.message is None
    assert update.edited_message is not None
    assert update.edited_message.text == "seen"
    assert update.edited_message.edit_date is not None


async def test_edits_keep_every_version(sim: TelegramSimulator, bot: Bot) -> None:
    sent = await bot.send_message(5, "thinking")
    edited = await bot.edit_message_text("thought", chat_id=5, message_id=sent.message_id)
    assert not isinstance(edited, bool)
    assert edited.text == "thought"
    with pytest.raises(BadRequest, match="Message is not modified: specified new message content"):
        await bot.edit_message_text("thought", chat_id=5, message_id=sent.message_id)
    (seen,) = sim.seen(5)
    assert [version.text for version in seen.versions] == ["thinking", "thought"]
    assert seen.edits == 1


async def test_only_own_messages_can_be_edited(sim: TelegramSimulator, bot: Bot) -> None:
    said = sim.say("ann", "ann", "mine")
    with pytest.raises(BadRequest, match="Message can't be edited"):
        await bot.edit_message_text("yours", chat_id=sim.chat_id("ann"), message_id=said)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("x", chat_id=sim.chat_id("ann"), message_id=99)


async def test_markup_is_read_and_shown_as_people_see_it(sim: TelegramSimulator, bot: Bot) -> None:
    html = await bot.send_message(5, "<b>bold 🎉</b> &lt;x&gt; <i>it</i>", parse_mode=ParseMode.HTML)
    assert html.text == "bold 🎉 <x> it"
    assert [(entity.type, entity.offset, entity.length) for entity in html.entities] == [
        ("bold", 0, 7),
        ("italic", 12, 2),
    ]
    await bot.send_message(5, r"*a*\. `c`", parse_mode=ParseMode.MARKDOWN_V2)
    plain = await bot.send_message(5, "*as it is*", entities=[MessageEntity("code", 0, 4)])
    assert plain.entities[0].type == "code"
    assert [message.text for message in sim.seen(5)] == ["bold 🎉 <x> it", "a. c", "*as it is*"]


@pytest.mark.parametrize(
    ("mode", "text", "reason"),
    [
        ("HTML", "<b>open", 'can\'t find end tag corresponding to start tag "b"'),
        ("HTML", "a < b", 'unsupported start tag "" at byte offset 2'),
        ("HTML", "<font>x</font>", 'unsupported start tag "font" at byte offset 0'),
        ("HTML", "é<b>x</i>", 'unmatched end tag at byte offset 6, expected "</b>", found "</i>"'),
        ("MarkdownV2", "done.", "character '.' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "é *open", "can't find end of Bold entity at byte offset 3"),
        ("MarkdownV2", "[a](b", "can't find end of a URL at byte offset 4"),
    ],
)
async def test_bad_markup_is_refused_in_the_platforms_words(
    sim: TelegramSimulator, http: aiohttp.ClientSession, mode: str, text: str, reason: str
) -> None:
    body = await call(http, sim, "sendMessage", chat_id=5, text=text, parse_mode=mode)
    assert body["error_code"] == 400
    assert body["description"].lower() == f"bad request: can't parse entities: {reason}".lower()
    assert sim.seen() == []


async def test_length_counts_utf16_units_after_parsing(sim: TelegramSimulator, bot: Bot) -> None:
    await bot.send_message(5, "<b>" + "🎉" * 2048 + "</b>", parse_mode=ParseMode.HTML)
    with pytest.raises(BadRequest, match="Message is too long"):
        await bot.send_message(5, "🎉" * 2048 + "x")
    with pytest.raises(BadRequest, match="Message text is empty"):
        await bot.send_message(5, "")
    with pytest.raises(BadRequest, match="Text must be non-empty"):
        await bot.send_message(5, "<b> </b>", parse_mode=ParseMode.HTML)
    assert len(sim.seen(5)) == 1


async def test_groups_show_a_bot_only_what_is_for_it(sim: TelegramSimulator, bot: Bot) -> None:
    sim.say("team", "ann", "just talk")
    sim.say("team", "ann", "/ask@other_bot not you")
    sim.say("team", "ann", "@parley_bot you")
    sim.say("team", "ann", "/ask you")
    sent = await bot.send_message(sim.chat_id("team"), "yes?")
    sim.say("team", "bob", "an answer", reply_to=sent.message_id)
    updates = await bot.get_updates()
    assert [update.message.text for update in updates if update.message] == [
        "@parley_bot you",
        "/ask you",
        "an answer",
    ]
    mention, command, answer = (update.message for update in updates)
    assert mention is not None
    assert mention.parse_entities([MessageEntity.MENTION])
    assert command is not None
    assert command.parse_entities([MessageEntity.BOT_COMMAND])
    assert answer is not None
    assert answer.reply_to_message is not None
    assert answer.reply_to_message.from_user == bot.bot
    assert sim.chat_id("team") < 0


async def test_without_privacy_mode_a_bot_reads_all() -> None:
    async with TelegramSimulator(privacy=False) as sim, connected(sim) as bot:
        sim.say("-77", "ann", "just talk")
        (update,) = await bot.get_updates()
        assert update.message is not None
        assert (update.message.chat.type, update.message.chat.id) == ("group", -77)


async def test_topics(sim: TelegramSimulator, bot: Bot) -> None:
    sim.say("team", "ann", "/ask in a topic", thread="plans")
    (update,) = await bot.get_updates()
    assert update.message is not None
    message = update.message
    assert message.is_topic_message
    assert message.chat.is_forum
    # As on the platform, a message in a topic "answers" the topic's creation.
    assert message.reply_to_message is not None
    assert message.reply_to_message.forum_topic_created is not None
    answer = await bot.send_message(message.chat.id, "here", message_thread_id=message.message_thread_id)
    assert answer.is_topic_message
    with pytest.raises(BadRequest, match="Message thread not found"):
        await bot.send_message(message.chat.id, "nowhere", message_thread_id=5_000_000)


async def test_replies(sim: TelegramSimulator, bot: Bot) -> None:
    said = sim.say("ann", "ann", "question")
    chat = sim.chat_id("ann")
    answer = await bot.send_message(chat, "answer", reply_parameters=ReplyParameters(said))
    assert answer.reply_to_message is not None
    assert answer.reply_to_message.text == "question"
    with pytest.raises(BadRequest, match="Message to be replied not found"):
        await bot.send_message(chat, "x", reply_parameters=ReplyParameters(99))
    lenient = ReplyParameters(99, allow_sending_without_reply=True)
    assert (await bot.send_message(chat, "x", reply_parameters=lenient)).reply_to_message is None


async def test_the_rest_of_the_methods(sim: TelegramSimulator, bot: Bot) -> None:
    said = sim.say("ann", "ann", "hello")
    chat = sim.chat_id("ann")
    assert await bot.send_chat_action(chat, "typing")
    assert (await bot.get_chat(chat)).first_name == "ann"
    assert (await bot.get_chat_member(chat, chat)).status == "member"
    assert await bot.set_message_reaction(chat, said, "👍")
    assert sim.seen("ann")[0].extra["reactions"] == ["👍"]
    assert await bot.set_my_commands([BotCommand("new", "Start anew")])
    assert await bot.get_my_commands() == (BotCommand("new", "Start anew"),)
    assert await bot.delete_my_commands()
    assert await bot.get_my_commands() == ()
    with pytest.raises(BadRequest, match="Bot_command_invalid"):
        await bot.set_my_commands([BotCommand("New!", "x")])
    sent = await bot.send_message(chat, "gone soon")
    assert await bot.delete_message(chat, sent.message_id)
    assert [message.text for message in sim.seen("ann")] == ["hello"]
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await bot.delete_message(chat, sent.message_id)
    with pytest.raises(BadRequest, match="Wrong parameter action"):
        await bot.send_chat_action(chat, "dancing")


async def test_buttons(sim: TelegramSimulator, bot: Bot) -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Stop", callback_data="stop")]])
    sent = await bot.send_message(5, "working", reply_markup=keyboard)
    query = sim.press(5, "5", sent.message_id, "stop")
    (update,) = await bot.get_updates()
    assert update.callback_query is not None
    assert (update.callback_query.id, update.callback_query.data) == (query, "stop")
    assert await bot.answer_callback_query(query)
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query(query)


async def test_tokens_and_unknown_methods(http: aiohttp.ClientSession) -> None:
    async with TelegramSimulator(token=TOKEN) as sim:
        with pytest.raises(InvalidToken):
            await connected(sim, "700001:other").__aenter__()
        body = await call(http, sim, "sendDance")
        assert body == {"ok": False, "error_code": 404, "description": "Not Found"}
        assert sim.unknown_methods == ["sendDance"]
        async with http.get(f"{sim.url}/botnonsense/getMe") as answer:
            assert answer.status == 401
            assert await answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}


async def test_strict_chats(http: aiohttp.ClientSession) -> None:
    async with TelegramSimulator(strict_chats=True) as sim:
        body = await call(http, sim, "sendMessage", chat_id=5, text="x")
        assert body["description"] == "Bad Request: chat not found"


async def test_every_way_to_send_parameters(sim: TelegramSimulator, http: aiohttp.ClientSession) -> None:
    url = f"{sim.url}/bot{TOKEN}/sendmessage"
    await http.get(url, params={"chat_id": "5", "text": "query"})
    await http.post(
        url, data={"chat_id": "5", "text": "form", "entities": '[{"type":"code","offset":0,"length":4}]'}
    )
    parts = aiohttp.FormData({"chat_id": "5", "text": "multipart"}, default_to_multipart=True)
    await http.post(url, data=parts)
    await http.post(url, json={"chat_id": 5, "text": "json"})
    assert [message.text for message in sim.seen(5)] == ["query", "form", "multipart", "json"]
    assert {call.method for call in sim.calls} == {"sendMessage"}


async def test_several_bots_are_told_apart_by_token(sim: TelegramSimulator, bot: Bot) -> None:
    async with connected(sim, "700002:other") as other:
        sim.say("ann", "ann", "to one", bot=700002)
        sim.say("ann", "ann", "to both")
        assert [update.message.text for update in await other.get_updates() if update.message] == [
            "to one",
            "to both",
        ]
        assert len(await bot.get_updates()) == 1


@waits_may_be_numbers
async def test_flood_control(sim: TelegramSimulator, bot: Bot) -> None:
    sim.limits = True
    await bot.send_message(5, "one")
    with pytest.raises(RetryAfter) as refused:
        await bot.send_message(5, "two")
    assert refused.value.retry_after
    sim.clock.turn(1.1)
    await bot.send_message(5, "three")
    for number in range(20):
        sim.clock.turn(1.1)
        await bot.send_message(-5, str(number))
    sim.clock.turn(1.1)
    with pytest.raises(RetryAfter):
        await bot.send_message(-5, "too many in a minute")
    sim.clock.turn(60)
    for chat in range(100, 130):
        await bot.send_message(chat, "hello")
    with pytest.raises(RetryAfter):
        await bot.send_message(130, "too many in a second")


@waits_may_be_numbers
async def test_faults_before_anything_is_done(sim: TelegramSimulator, bot: Bot) -> None:
    sim.fault("too_many_requests", method="sendMessage", seconds=7)
    with pytest.raises(RetryAfter) as refused:
        await bot.send_message(5, "x")
    assert refused.value.retry_after == 7
    sim.fault("server_error", status=502)
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await bot.send_message(5, "x")
    sim.fault("html", status=503)
    with pytest.raises(NetworkError, match="Parsing the server response"):
        await bot.send_message(5, "x")
    sim.fault("forbidden", chat="6")
    with pytest.raises(Forbidden, match="bot was blocked by the user"):
        await bot.send_message(6, "x")
    sim.fault("reset")
    with pytest.raises(NetworkError):
        await bot.send_message(5, "x")
    assert sim.seen() == []
    assert len(sim.faults) == 0


async def test_accept_then_drop_shows_the_message_and_loses_the_answer(
    sim: TelegramSimulator, bot: Bot
) -> None:
    sim.fault("accept_then_drop", method="sendMessage", times=2)
    for _ in range(2):
        with pytest.raises(NetworkError):
            await bot.send_message(5, "once")
    await bot.send_message(5, "once")
    assert len(sim.seen(5)) == 3


async def test_a_slow_answer_outlasts_the_clients_patience(sim: TelegramSimulator, bot: Bot) -> None:
    sim.fault("slow", method="sendMessage", seconds=60)
    with pytest.raises(TimedOut):
        await bot.send_message(5, "seen all the same", read_timeout=0.05)
    assert len(sim.seen(5)) == 1


async def test_duplicates_come_back_after_they_were_confirmed(sim: TelegramSimulator, bot: Bot) -> None:
    sim.fault("duplicate", copies=2)
    sim.say("ann", "ann", "once")
    (first,) = await bot.get_updates()
    for _ in range(2):
        (again,) = await bot.get_updates(offset=first.update_id + 1)
        assert again.update_id == first.update_id
    assert await bot.get_updates(offset=first.update_id + 1) == ()


async def test_reordered_batches(sim: TelegramSimulator, bot: Bot) -> None:
    sim.fault("reorder", seed=3)
    for number in range(5):
        sim.say("ann", "ann", str(number))
    mixed = [update.update_id for update in await bot.get_updates()]
    assert mixed != sorted(mixed)
    straight = [update.update_id for update in await bot.get_updates()]
    assert straight == sorted(mixed)


async def test_a_share_of_calls_is_struck_the_same_way_for_the_same_seed() -> None:
    outcomes = []
    for _ in range(2):
        async with TelegramSimulator() as sim, connected(sim) as bot:
            sim.fault("forbidden", method="sendMessage", percent=50, times=1000, seed=11)
            results = await asyncio.gather(
                *(bot.send_message(5, "x") for _ in range(20)), return_exceptions=True
            )
            outcomes.append([call.status for call in sim.calls if call.method == "sendMessage"])
            assert {type(result) for result in results} > {Forbidden}
    assert outcomes[0] == outcomes[1]


@asynccontextmanager
async def listening(statuses: list[int], got: list[Any]) -> AsyncIterator[str]:
    """A webhook that answers with these statuses, then 200, and keeps what it got."""

    async def receive(request: web.Request) -> web.Response:
        got.append((request.headers.get("X-Telegram-Bot-Api-Secret-Token"), await request.json()))
        return web.Response(status=statuses.pop(0) if statuses else 200)

    app = web.Application()
    app.add_routes([web.post("/hook", receive)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def test_a_webhook_gets_updates_again_until_it_says_yes(sim: TelegramSimulator, bot: Bot) -> None:
    got: list[Any] = []
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await sim.wait_for(lambda _: any(call.method == "getUpdates" for call in sim.calls))
    async with listening([500], got) as url:
        await bot.set_webhook(url, secret_token="s3cret")
        with pytest.raises(Conflict, match="terminated by setWebhook request"):
            await polling
        with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
            await bot.get_updates()
        sim.say("ann", "ann", "hello")
        async with asyncio.timeout(10):
            while (await bot.get_webhook_info()).pending_update_count:
                pass
        info = await bot.get_webhook_info()
        assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"
        assert [(secret, body["message"]["text"]) for secret, body in got] == [("s3cret", "hello")] * 2
        await bot.delete_webhook()
        sim.say("ann", "ann", "fetch me")
        assert len(await bot.get_updates()) == 1


async def test_numbers_stay_as_they_are(sim: TelegramSimulator, bot: Bot) -> None:
    sim.say("77", "ann", "/ask in private")
    sim.say(-77, 78, "/ask in a group")
    sim.say(-1_000_000_000_077, 79, "/ask in a supergroup")
    messages = [update.effective_message for update in await bot.get_updates()]
    assert [(m.chat.id, m.chat.type, m.from_user.id) for m in messages if m and m.from_user] == [
        (77, "private", 77),
        (-77, "group", 78),
        (-1_000_000_000_077, "supergroup", 79),
    ]


async def test_the_control_calls(sim: TelegramSimulator, bot: Bot, http: aiohttp.ClientSession) -> None:
    said = {"chat": "team", "user": "ann", "text": "/ask hello", "thread": "plans", "user_id": 4242}
    async with http.post(f"{sim.url}/_sim/say", json=said) as answer:
        assert await answer.json() == {"id": 1}
    (update,) = await bot.get_updates()
    assert update.effective_user is not None
    assert (update.effective_user.id, update.effective_user.username) == (4242, "ann")
    await bot.send_message(5, "hi")
    async with http.get(f"{sim.url}/_sim/seen", params={"chat": "5"}) as answer:
        (message,) = (await answer.json())["messages"]
    assert {key: message[key] for key in ("id", "chat", "author", "text", "edits")} == {
        "id": 1, "chat": "5", "author": "bot", "text": "hi", "edits": 0,
    }  # fmt: skip
    async with http.post(f"{sim.url}/_sim/fault", json={"kind": "forbidden"}) as answer:
        assert answer.status == 200
    with pytest.raises(Forbidden):
        await bot.send_message(5, "x")


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("say", {"chat": "a", "user": "a"}, "text: Field required"),
        ("say", {"chat": "a", "user": "a", "text": "x", "reply_to": "9"}, "reply_to: no message '9'"),
        ("say", {"chat": "a", "user": "a", "text": "x", "thread": "t"}, "allowed: in a supergroup"),
        ("say", {"chat": "a", "user": "a", "text": "x" * 4097}, "allowed: 1 to 4096"),
        ("say", {"chat": "7", "user": "8", "text": "x"}, "allowed: in the private chat '7' only its user"),
        ("say", {"chat": "a", "user": "b", "text": "x", "user_id": "-1"}, "allowed: a positive number"),
        ("fault", {"kind": "earthquake"}, "kind: 'earthquake' is no fault here; allowed: accept_then_drop"),
        ("fault", {"kind": "slow", "times": 0}, "times: Input should be greater than or equal to 1"),
        ("fault", {"kind": "slow", "tmies": 1}, "tmies: Extra inputs are not permitted"),
        ("fault", [], "allowed: a JSON object"),
    ],
)
async def test_control_calls_say_what_is_wrong(
    sim: TelegramSimulator, http: aiohttp.ClientSession, path: str, body: Any, named: str
) -> None:
    async with http.post(f"{sim.url}/_sim/{path}", json=body) as answer:
        assert answer.status == 400
        assert named in (await answer.json())["error"]


async def test_waiting_says_what_was_seen_instead(sim: TelegramSimulator) -> None:
    sim.say("ann", "ann", "anyone?")
    with pytest.raises(TimeoutError, match="ann ann: 'anyone\\?'"):
        await sim.next_answer("ann", timeout=0.01)
    with pytest.raises(Refusal):
        sim.fault("earthquake")


async def test_stopping_ends_waiting_calls_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with TelegramSimulator() as sim, connected(sim) as bot:
        polling = asyncio.create_task(bot.get_updates(timeout=30))
        await sim.wait_for(lambda _: any(call.method == "getUpdates" for call in sim.calls))
        await sim.stop()
        with suppress(NetworkError):
            assert await polling == ()
    assert asyncio.all_tasks() <= before | {polling}
