"""What goes out, once, and what is certain when it did not."""

import pytest

from bots.simulators.telegram import TelegramSimulator
from bots.telegram.adapter import TelegramChannel
from core.errors import Ambiguous, ChannelError, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable
from core.messages import CommandOffer, OutboundMessage, Place
from core.ports import CanEdit, CanOfferCommands, CanReact, CanShowTyping, ChannelAdapter
from tests.integration.telegram.bare import BareApi, cut, page, refuse, result, unknown
from tests.integration.telegram.conftest import TOKEN
from tests.integration.telegram.inbox import ACCOUNT

SENT = result({"message_id": 9, "date": 1_790_000_000, "chat": {"id": 42, "type": "private"}, "text": "x"})


def place(chat: int = 42, thread: str = "", *, direct: bool = True) -> Place:
    return Place(account_id=ACCOUNT.id, channel="telegram", chat=str(chat), thread=thread, direct=direct)


def outbound(text: str, where: Place | None = None, reply_to: str = "") -> OutboundMessage:
    return OutboundMessage(place=where or place(), text=text, key="k", reply_to=reply_to)


def sends(sim: TelegramSimulator) -> int:
    return sum(call.method == "sendMessage" for call in sim.calls)


@pytest.fixture
def alice(sim: TelegramSimulator) -> Place:
    sim.say("alice", "alice", "hello")
    return place(sim.chat_id("alice"))


def test_it_fits_the_ports(channel: TelegramChannel) -> None:
    adapter: ChannelAdapter = channel
    assert (adapter.name, adapter.traits.max_text, adapter.traits.single_receiver) == ("telegram", 4096, True)
    assert (adapter.traits.streaming, adapter.traits.after_ambiguous) == ("edit", "stop")
    assert TelegramChannel(TOKEN, "http://127.0.0.1:9", stream=False).traits.streaming == "none"
    for port in (CanEdit, CanShowTyping, CanReact, CanOfferCommands):
        assert isinstance(channel, port)


async def test_formatted_message(channel: TelegramChannel, sim: TelegramSimulator, alice: Place) -> None:
    receipt = await channel.send(outbound("Hi **there**, see [it](https://a.example/x)", alice, reply_to="1"))
    answer = await sim.next_answer("alice")
    assert (str(answer.id), answer.text) == (receipt, "Hi there, see it")
    assert [entity["type"] for entity in answer.versions[-1].entities] == ["bold", "text_link"]
    asked = sim.calls[-1].params
    assert "is_disabled" in str(asked["link_preview_options"])
    assert "reply_parameters" not in asked


async def test_group_answer_quotes_its_question_while_it_is_there(
    channel: TelegramChannel, sim: TelegramSimulator
) -> None:
    question = sim.say("team", "alice", "@parley_bot hi", chat_type="supergroup", thread="news")
    thread = next(iter(sim.world.find("team").topics))  # type: ignore[union-attr]
    group = place(sim.chat_id("team"), str(thread), direct=False)
    await channel.send(outbound("here", group, reply_to=str(question)))
    await channel.send(outbound("there", group, reply_to="999999"))
    chat = sim.world.find("team")
    assert chat is not None
    replies = {message.seen.text: (message.reply_to, message.thread) for message in chat.messages.values()}
    assert replies["here"] == (question, thread)
    assert replies["there"] == (None, thread)


async def test_long_answer_arrives_whole(
    channel: TelegramChannel, sim: TelegramSimulator, alice: Place
) -> None:
    code = "\n".join(f"value_{number} = compute({number})  # {'<&>' * 8}" for number in range(170))
    for piece in channel.split(f"Look:\n\n```python\n{code}\n```\n\nDone."):
        await channel.send(outbound(piece, alice))
    texts = [message.text for message in sim.seen("alice") if message.by_bot]
    assert len(texts) == 6  # counted as sent too, where each of these characters takes four or five
    sent = [call.params["text"] for call in sim.calls if call.method == "sendMessage"]
    assert max(len(text) for text in sent) <= 4096
    assert [line for text in texts for line in text.split("\n") if "value_" in line] == code.split("\n")


async def test_lost_answer_is_ambiguous_and_not_repeated(
    channel: TelegramChannel, sim: TelegramSimulator, alice: Place
) -> None:
    sim.fault("accept_then_drop", method="sendMessage")
    with pytest.raises(Ambiguous):
        await channel.send(outbound("once", alice))
    assert [message.text for message in sim.seen("alice") if message.by_bot] == ["once"]
    assert sends(sim) == 1


async def test_slow_answer_is_ambiguous_and_not_repeated(sim: TelegramSimulator, alice: Place) -> None:
    channel = TelegramChannel(TOKEN, sim.url, answer_seconds=0.05)
    sim.fault("slow", method="sendMessage", seconds=5)
    with pytest.raises(Ambiguous, match=r"sendMessage: TimedOut \(ReadTimeout\)"):
        await channel.send(outbound("once", alice))
    await channel.close()
    assert [message.text for message in sim.seen("alice") if message.by_bot] == ["once"]
    assert sends(sim) == 1


@pytest.mark.parametrize(
    ("answer", "error", "certain"),
    [
        (cut(), Ambiguous, False),
        (refuse(500, "Internal Server Error"), Ambiguous, False),
        (page(502, "<html>bad gateway</html>"), Ambiguous, False),
        (page(200, "<html>login first</html>"), Ambiguous, False),
        (page(200, '{"ok":true}'), Ambiguous, False),
        (result({"strange": "message"}), Ambiguous, False),
        (refuse(408, "Request Timeout"), Ambiguous, False),
        (refuse(429, "Too Many Requests: retry after 7", retry_after=7), NotSent, True),
        (page(429, "slow down"), NotSent, True),
        (refuse(400, "Bad Request: message is too long"), Rejected, True),
        (refuse(413, "Request Entity Too Large"), Rejected, True),
        (refuse(404, "Not Found"), Rejected, True),
        (refuse(400, "Bad Request: chat not found"), Undeliverable, True),
        (
            refuse(400, "Bad Request: not enough rights to send text messages to the chat"),
            Undeliverable,
            True,
        ),
        (refuse(400, "Bad Request: message thread not found"), Undeliverable, True),
        (refuse(403, "Forbidden: bot was blocked by the user"), Undeliverable, True),
        (refuse(403, "Forbidden: bot was kicked from the supergroup chat"), Undeliverable, True),
        (refuse(401, "Unauthorized"), Unauthorized, True),
        (page(200, '{"ok":false,"error_code":400,"description":"Bad Request: no"}'), Rejected, True),
        (page(400, '{"ok":false,"parameters":[]}'), Rejected, True),
    ],
)
async def test_what_a_refusal_means(
    bare: BareApi, bare_channel: TelegramChannel, answer: object, error: type[ChannelError], certain: bool
) -> None:
    bare.answers("sendMessage", answer)  # type: ignore[arg-type]
    with pytest.raises(ChannelError) as caught:
        await bare_channel.send(outbound("hello"))
    assert type(caught.value) is error
    assert caught.value.certain is certain
    assert len(bare.asked("sendMessage")) == 1


async def test_told_wait_is_passed_on(bare: BareApi, bare_channel: TelegramChannel) -> None:
    bare.answers("sendMessage", refuse(429, "Too Many Requests: retry after 7", retry_after=7))
    with pytest.raises(NotSent) as caught:
        await bare_channel.send(outbound("hello"))
    assert caught.value.retry_after == 7


async def test_nobody_there_is_certain(unused_tcp_port: int) -> None:
    channel = TelegramChannel(TOKEN, f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(NotSent, match="ConnectError"):
        await channel.send(outbound("hello"))
    await channel.close()


async def test_refused_markup_goes_out_plain_at_once(bare: BareApi, bare_channel: TelegramChannel) -> None:
    bare.answers("sendMessage", refuse(400, "Bad Request: can't parse entities: Unsupported start tag"), SENT)
    assert await bare_channel.send(outbound("so **bold** & [x](https://a.example)")) == "9"
    first, second = bare.asked("sendMessage")
    assert (first["parse_mode"], "parse_mode" in second) == ("HTML", False)
    assert second["text"] == "so bold & x"


async def test_plain_try_that_is_lost_is_ambiguous(bare: BareApi, bare_channel: TelegramChannel) -> None:
    bare.answers("sendMessage", refuse(400, "Bad Request: can't parse entities"), cut())
    with pytest.raises(Ambiguous):
        await bare_channel.send(outbound("hello"))
    assert len(bare.asked("sendMessage")) == 2


async def test_group_that_moved_is_followed(bare: BareApi, bare_channel: TelegramChannel) -> None:
    moved = refuse(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1007)
    bare.answers("sendMessage", moved, SENT)
    await bare_channel.send(outbound("hello", place(-7, direct=False)))
    assert [params["chat_id"] for params in bare.asked("sendMessage")] == ["-7", "-1007"]


async def test_edit(channel: TelegramChannel, sim: TelegramSimulator, alice: Place) -> None:
    receipt = await channel.send(outbound("…", alice))
    await channel.edit(alice, receipt, "**done**")
    await channel.edit(alice, receipt, "**done**")  # not modified: done already
    answer = await sim.next_answer("alice")
    assert (answer.text, answer.edits) == ("done", 1)


async def test_edit_of_what_is_not_there(
    channel: TelegramChannel, sim: TelegramSimulator, alice: Place
) -> None:
    with pytest.raises(TargetGone):
        await channel.edit(alice, "999999", "new")
    theirs = sim.say("alice", "alice", "mine")
    with pytest.raises(TargetGone):
        await channel.edit(alice, str(theirs), "new")


async def test_edit_that_was_lost_can_be_repeated(
    channel: TelegramChannel, sim: TelegramSimulator, alice: Place
) -> None:
    receipt = await channel.send(outbound("…", alice))
    sim.fault("accept_then_drop", method="editMessageText")
    with pytest.raises(Ambiguous):
        await channel.edit(alice, receipt, "final")
    await channel.edit(alice, receipt, "final")
    assert [message.text for message in sim.seen("alice") if message.by_bot] == ["final"]


async def test_edit_with_refused_markup_goes_plain(bare: BareApi, bare_channel: TelegramChannel) -> None:
    bare.answers("editMessageText", refuse(400, "Bad Request: can't parse entities"), result(True))
    await bare_channel.edit(place(), "9", "**x**")
    assert [params["text"] for params in bare.asked("editMessageText")] == ["<b>x</b>", "x"]


async def test_ids_that_are_not_telegrams() -> None:
    channel = TelegramChannel(TOKEN, "http://127.0.0.1:9")
    elsewhere = Place(account_id=ACCOUNT.id, channel="telegram", chat="C024BE7LH")
    with pytest.raises(Rejected, match="'C024BE7LH': allowed is a whole number"):
        await channel.send(outbound("hello", elsewhere))
    with pytest.raises(Rejected, match="message 'x1'"):
        await channel.edit(place(), "x1", "hello")
    await channel.close()


async def test_typing_and_reactions(channel: TelegramChannel, sim: TelegramSimulator, alice: Place) -> None:
    question = sim.say("alice", "alice", "hi")
    await channel.show_typing(alice)
    assert (sim.calls[-1].method, sim.calls[-1].status) == ("sendChatAction", 200)
    await channel.react(alice, str(question), "👍")
    assert sim.seen("alice")[-1].extra["reactions"] == ["👍"]
    await channel.react(alice, str(question), "⏳")  # not on Telegram's list
    assert sim.seen("alice")[-1].extra["reactions"] == ["👀"]


async def test_menu_of_commands(
    channel: TelegramChannel, sim: TelegramSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    offers = [
        CommandOffer(name="ask", summary="Ask something", argument="text"),
        CommandOffer(name="Bad-Name", summary="Cannot be shown"),
        CommandOffer(name="new", summary="x" * 300),
    ]
    await channel.offer_commands(offers)
    commands = str(sim.calls[-1].params["commands"])
    assert "Ask something" in commands
    assert "x" * 256 in commands
    assert "x" * 257 not in commands
    assert "Bad-Name" not in commands
    assert "'Bad-Name' is not in Telegram's menu" in caplog.text


async def test_menu_that_a_server_does_not_know_is_an_error_for_the_caller_to_log(
    bare: BareApi, bare_channel: TelegramChannel
) -> None:
    bare.answers("setMyCommands", unknown)
    await bare_channel.connect()
    with pytest.raises(Rejected, match="setMyCommands: 404"):
        await bare_channel.offer_commands([CommandOffer(name="new", summary="Begin anew")])
    bare.answers("sendMessage", SENT)
    assert await bare_channel.send(outbound("still here")) == "9"


async def test_proxy_of_the_environment_is_used(bare: BareApi, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", bare.url)
    channel = TelegramChannel(TOKEN, "http://api.telegram.example")
    assert (await channel.connect()).handle == "parley_bot"
    await channel.close()
    assert [method for method, _ in bare.calls] == ["getMe"]
