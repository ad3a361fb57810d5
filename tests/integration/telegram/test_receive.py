"""Nothing that Telegram had for us is lost, whatever happens between its answer and our commit."""

import logging
from typing import Any

import aiohttp
import pytest

from bots.simulators.telegram import TelegramSimulator
from bots.telegram.adapter import TelegramChannel
from bots.telegram.receive import Patience
from core.errors import NotSent, Rejected, Unauthorized
from core.messages import Identity, OutboundMessage, Sender
from tests.integration.telegram.bare import BareApi, cut, page, refuse, result
from tests.integration.telegram.conftest import HASTE, TOKEN
from tests.integration.telegram.inbox import ACCOUNT, Inbox
from tests.integration.telegram.running import running


def offsets(sim: TelegramSimulator) -> list[str | None]:
    return [call.params.get("offset") for call in sim.calls if call.method == "getUpdates"]


def update(number: int, text: str = "hello", **fields: Any) -> dict[str, Any]:
    person = {"id": 42, "is_bot": False, "first_name": "Alice"}
    chat = {"id": 42, "type": "private", "first_name": "Alice"}
    message = {"message_id": number, "date": 1_790_000_000, "chat": chat, "from": person, "text": text}
    return {"update_id": number, "message": message | fields}


async def test_message_comes_in(channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox) -> None:
    async with running(channel, inbox) as identity:
        number = sim.say("alice", "alice", "hello")
        await inbox.until(lambda box: bool(box.committed))
    assert identity == Identity(name="700001", handle="parley_bot")
    [message] = inbox.committed
    chat = sim.chat_id("alice")
    assert (message.text, message.message_id) == ("hello", str(number))
    assert (message.place.account_id, message.place.chat, message.place.direct) == (
        ACCOUNT.id,
        str(chat),
        True,
    )
    assert isinstance(message.sender, Sender)
    assert {call.method for call in sim.calls} == {"getMe", "getUpdates"}


async def test_nothing_is_confirmed_before_it_is_committed(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    inbox.away = True
    async with running(channel, inbox):
        sim.say("alice", "alice", "one")
        await inbox.until(lambda box: len(box.batches) >= 3)
        assert set(offsets(sim)) == {None}
        inbox.away = False
        await inbox.until(lambda box: bool(box.committed))
        sim.say("alice", "alice", "two")
        await inbox.until(lambda box: len(box.committed) == 2)
    assert inbox.texts == ["one", "two"]
    assert len({message.dedupe_key for batch in inbox.batches for message in batch}) == 2
    assert next(said for said in offsets(sim) if said) == "100000002"


async def test_stopping_confirms_nothing_that_was_not_committed(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    inbox.away = True
    async with running(channel, inbox):
        sim.say("alice", "alice", "one")
        await inbox.until(lambda box: bool(box.batches))
    assert set(offsets(sim)) == {None}
    inbox.away = False
    async with running(channel, inbox):
        await inbox.until(lambda box: bool(box.committed))
    assert inbox.texts == ["one"]


async def test_messages_of_a_downtime_are_not_dropped(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    for number in range(250):
        sim.say(f"user{number}", f"user{number}", str(number))
    async with running(channel, inbox):
        await inbox.until(lambda box: len(box.committed) == 250)
    assert inbox.texts == [str(number) for number in range(250)]
    assert [len(batch) for batch in inbox.batches] == [100, 100, 50]


async def test_update_that_comes_again_has_the_same_key(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    sim.fault("duplicate")
    async with running(channel, inbox):
        sim.say("alice", "alice", "one")
        await inbox.until(lambda box: len(box.committed) == 2)
    assert len({message.dedupe_key for message in inbox.committed}) == 1


async def test_numbering_that_starts_anew_below_loses_nothing(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox
) -> None:
    bare.answers("getUpdates", result([update(500)]), result([update(3), update(4)]))
    async with running(bare_channel, inbox):
        await bare.until(lambda: len(bare.asked("getUpdates")) == 3)
    assert [params.get("offset") for params in bare.asked("getUpdates")] == [None, "501", "5"]
    assert [message.message_id for message in inbox.committed] == ["500", "3", "4"]


async def test_after_a_quiet_week_the_numbers_are_others_and_nothing_is_lost(
    sim: TelegramSimulator, inbox: Inbox
) -> None:
    channel = TelegramChannel(TOKEN, sim.url, poll_seconds=1, patience=HASTE)
    async with running(channel, inbox):
        sim.say("alice", "alice", "before")
        await inbox.until(lambda box: len(box.committed) == 1)
        sim.clock.turn(8 * 24 * 3600)
        for number in range(3):
            sim.say("alice", "alice", f"after {number}")
        await inbox.until(lambda box: "after 2" in box.texts)
        sim.say("alice", "alice", "later")
        await inbox.until(lambda box: "later" in box.texts)
    await channel.close()
    assert list(dict.fromkeys(inbox.texts)) == ["before", "after 0", "after 1", "after 2", "later"]
    keys = {message.dedupe_key for message in inbox.committed}
    assert len(keys) == 5


async def test_offset_is_dropped_after_a_long_quiet(bare: BareApi, inbox: Inbox) -> None:
    bare.answers("getUpdates", result([update(500)]), result([]))
    channel = TelegramChannel(TOKEN, bare.url, patience=Patience(idle=(0.01, 0.01), forget_offset=0))
    async with running(channel, inbox):
        await bare.until(lambda: len(bare.asked("getUpdates")) == 3)
    await channel.close()
    assert [params.get("offset") for params in bare.asked("getUpdates")] == [None, "501", None]


async def test_unreadable_update_holds_up_nobody(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"update_id": 7, "message": {"message_id": 1, "text": "private words", "from": "nobody"}}
    bare.answers("getUpdates", result([broken, update(8)]))
    async with running(bare_channel, inbox):
        await bare.until(lambda: len(bare.asked("getUpdates")) == 2)
    assert [message.message_id for message in inbox.committed] == ["8"]
    assert bare.asked("getUpdates")[1]["offset"] == "9"
    assert "update 7 cannot be read" in caplog.text
    assert "private words" not in caplog.text


async def test_server_that_says_little_is_understood(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox
) -> None:
    little = {"message_id": 1, "chat": {"id": 42}, "from": {"id": 42}, "text": "hello"}
    bare.answers_first("getMe", result({"id": 700001, "username": "parley_bot"}))
    bare.answers("getUpdates", result([{"update_id": 1, "message": little}]))
    bare.answers("sendMessage", result({"message_id": 2, "chat": {"id": 42}}))
    async with running(bare_channel, inbox):
        await inbox.until(lambda box: bool(box.committed))
    [message] = inbox.committed
    assert (message.text, message.sender.name, message.place.direct) == ("hello", "42", True)
    assert await bare_channel.send(OutboundMessage(place=message.place, text="hi", key="k")) == "2"


async def test_what_is_not_for_the_bot_is_confirmed_without_a_commit(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox
) -> None:
    group = {"id": -1001, "type": "supergroup", "title": "Team"}
    bare.answers("getUpdates", result([update(7, chat=group)]))
    async with running(bare_channel, inbox):
        await bare.until(lambda: len(bare.asked("getUpdates")) == 2)
    assert inbox.batches == []
    assert bare.asked("getUpdates")[1]["offset"] == "8"


async def test_trouble_on_the_way_is_waited_out(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox
) -> None:
    bare.answers(
        "getUpdates",
        cut(),
        page(502, "<html>bad gateway</html>"),
        page(200, "not json"),
        refuse(500, "Internal Server Error"),
        refuse(429, "Too Many Requests: retry after 0", retry_after=0.01),
        result([update(1)]),
    )
    async with running(bare_channel, inbox):
        await inbox.until(lambda box: bool(box.committed))
    assert {params.get("offset") for params in bare.asked("getUpdates")[:6]} == {None}


async def test_told_wait_is_kept(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    bare.answers("getUpdates", refuse(429, "Too Many Requests: retry after 1", retry_after=0.37))
    async with running(bare_channel, inbox):
        await bare.until(lambda: len(bare.asked("getUpdates")) == 2)
    assert "next try in 0.4 s: getUpdates: 429" in caplog.text


async def test_other_poller_is_waited_for(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(channel, inbox), aiohttp.ClientSession() as http:
        await sim.wait_for(lambda _: offsets(sim))
        async with http.post(f"{sim.url}/bot{TOKEN}/getUpdates", json={"timeout": 5}) as answer:
            assert answer.status == 409  # ended in its turn when ours came back
        sim.say("alice", "alice", "hello")
        await inbox.until(lambda box: bool(box.committed))
    assert "another poller uses this bot's token" in caplog.text


async def test_webhook_in_the_way_is_said(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    async with aiohttp.ClientSession() as http:
        hook = {"url": "http://127.0.0.1:9/hook"}
        async with http.post(f"{sim.url}/bot{TOKEN}/setWebhook", json=hook) as answer:
            assert answer.status == 200
    await channel.connect()
    with pytest.raises(Rejected, match="delete the bot's webhook"):
        await channel.run(ACCOUNT, inbox)


@pytest.mark.parametrize("status", [401, 404])
async def test_refused_token_ends_the_run(
    bare: BareApi, bare_channel: TelegramChannel, inbox: Inbox, status: int
) -> None:
    bare.answers("getUpdates", refuse(status, "Unauthorized" if status == 401 else "Not Found"))
    await bare_channel.connect()
    with pytest.raises(Unauthorized, match=f"getUpdates: {status}"):
        await bare_channel.run(ACCOUNT, inbox)


async def test_refused_token_at_the_start(sim: TelegramSimulator) -> None:
    channel = TelegramChannel("700002:wrong", sim.url)
    with pytest.raises(Unauthorized, match="getMe: 401"):
        await channel.connect()
    await channel.close()


async def test_nobody_there_at_the_start(unused_tcp_port: int, inbox: Inbox) -> None:
    channel = TelegramChannel(TOKEN, f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(NotSent, match="getMe"):
        await channel.connect()
    await channel.close()


async def test_server_that_answers_at_once_is_not_hammered(bare: BareApi, inbox: Inbox) -> None:
    bare.answers("getUpdates", *[result([]) for _ in range(50)])
    channel = TelegramChannel(TOKEN, bare.url, patience=Patience(idle=(3600.0, 3600.0)))
    async with running(channel, inbox), aiohttp.ClientSession() as http:
        await bare.until(lambda: bare.asked("getUpdates"))
        for _ in range(20):  # round trips in which a spinning loop would have asked often
            async with http.post(f"{bare.url}/bot{TOKEN}/other"):
                pass
    await channel.close()
    assert len(bare.asked("getUpdates")) == 1


async def test_server_that_forgets_confirmations_is_not_hammered(bare: BareApi, inbox: Inbox) -> None:
    bare.answers("getUpdates", *[result([update(1)]) for _ in range(50)])
    channel = TelegramChannel(TOKEN, bare.url, patience=Patience(idle=(3600.0, 3600.0)))
    async with running(channel, inbox), aiohttp.ClientSession() as http:
        await bare.until(lambda: len(bare.asked("getUpdates")) == 2)
        for _ in range(20):
            async with http.post(f"{bare.url}/bot{TOKEN}/other"):
                pass
    await channel.close()
    assert len(bare.asked("getUpdates")) == 2
    assert len({message.dedupe_key for message in inbox.committed}) == 1


async def test_receiving_goes_on_after_a_stop(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    for text in ("one", "two"):
        async with running(channel, inbox):
            sim.say("alice", "alice", text)
            await inbox.until(lambda box, text=text: text in box.texts)  # type: ignore[misc]
        await channel.close()
    assert inbox.texts[-1] == "two"


async def test_group_topic_and_mention(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    async with running(channel, inbox):
        sim.say("team", "alice", "just talking", chat_type="supergroup", thread="news")
        sim.say("team", "alice", "@parley_bot what now?", chat_type="supergroup", thread="news")
        await inbox.until(lambda box: bool(box.committed))
    [message] = inbox.committed
    assert message.text == "what now?"
    assert not message.place.direct
    assert message.place.thread.isdigit()


@pytest.fixture(autouse=True)
def _log_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
