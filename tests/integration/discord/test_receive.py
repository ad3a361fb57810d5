"""What comes in, and that nothing is lost: sessions that end, events told twice, downtimes, a store away."""

import pytest

from bots.discord.adapter import DiscordChannel
from bots.simulators.discord import DiscordSimulator
from core.errors import NotSent, Unauthorized
from core.messages import OutboundMessage
from tests.integration.discord.running import HASTE, Shelf, account_of, channel_at, running
from tests.integration.telegram.inbox import Inbox


async def test_a_direct_message_comes_in(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox) as me:
        assert (me.name, me.handle) == (sim.bot_id, "parley_bot")
        id = sim.say("ann", "ann", "hello bot")
        await inbox.until(lambda inbox: bool(inbox.committed))
    message = inbox.committed[0]
    assert (message.text, message.message_id, message.dedupe_key) == ("hello bot", id, f"m:{id}")
    assert (message.place.chat, message.place.thread) == (sim.chat_id("ann"), "")
    assert message.place.direct
    assert message.sender.name == "ann"
    assert message.extra["asker"] == message.sender.id


async def test_in_a_server_only_what_is_meant_for_the_bot(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        sim.say("ann", "ann", "first")  # who is mentioned must be known
        await inbox.until(lambda inbox: bool(inbox.committed))
        sim.say("general", "ann", "just talk")
        sim.say("general", "robot", "@parley_bot hello, colleague", by_bot=True)
        sim.say("general", "ann", "@parley_bot what now, @ann?")
        sim.say("general", "ann", "@parley_bot in a thread", thread="plans")
        await inbox.until(lambda inbox: len(inbox.committed) == 3)
    general, thread = inbox.committed[1:]
    assert (general.text, thread.text) == ("what now, @ann?", "in a thread")
    assert general.place.chat == sim.chat_id("general")
    assert thread.place.chat not in (general.place.chat, "")
    assert not general.place.direct


async def test_a_reply_to_the_bot_is_meant_for_it(sim: DiscordSimulator, inbox: Inbox) -> None:
    channel = channel_at(sim, message_content=True)
    async with running(channel, sim, inbox):
        sim.say("general", "ann", "@parley_bot hello")
        await inbox.until(lambda inbox: bool(inbox.committed))
        answer = await channel.send(OutboundMessage(place=inbox.committed[0].place, text="here", key="k"))
        sim.say("general", "bob", "so what?", reply_to=answer)
        sim.say("general", "bob", "!help me")
        sim.say("general", "bob", "!nothing of ours")
        sim.say("general", "bob", "@parley_bot the last")
        await inbox.until(lambda inbox: len(inbox.committed) == 4)
    await channel.close()
    assert inbox.texts == ["hello", "so what?", "!help me", "the last"]


async def test_a_session_is_resumed_and_nothing_told_twice_counts_twice(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        sim.fault("duplicate", method="MESSAGE_CREATE")
        sim.say("ann", "ann", "one")
        await inbox.until(lambda inbox: len(inbox.committed) == 2)
        sim.fault("drop", method="MESSAGE_CREATE")
        sim.say("ann", "ann", "two")
        await inbox.until(lambda inbox: "two" in inbox.texts)
        sim.fault("reconnect", method="MESSAGE_CREATE")
        sim.say("ann", "ann", "three")
        await inbox.until(lambda inbox: "three" in inbox.texts)
        sim.fault("invalid_session", method="MESSAGE_CREATE")
        sim.say("ann", "ann", "four")
        await inbox.until(lambda inbox: "four" in inbox.texts)
    keys = [message.dedupe_key for message in inbox.committed]
    assert inbox.texts == ["one", "one", "two", "three", "four"]
    assert len(set(keys)) == 4
    assert [call.method for call in sim.calls if call.method in ("IDENTIFY", "RESUME")] == [
        "IDENTIFY",
        *["RESUME"] * 3,
    ]


@pytest.mark.parametrize("fault", ["lost_session", "refuse_resume"])
async def test_what_a_lost_session_did_not_tell_is_fetched(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox, fault: str
) -> None:
    async with running(channel, sim, inbox):
        sim.say("ann", "ann", "one")
        sim.say("general", "bob", "@parley_bot two")
        await inbox.until(lambda inbox: len(inbox.committed) == 2)
        if fault == "refuse_resume":
            sim.fault("refuse_resume", method="RESUME")
            sim.fault("drop", method="MESSAGE_CREATE")
        else:
            sim.fault("lost_session", method="MESSAGE_CREATE")
        sim.say("ann", "ann", "three")
        sim.say("ann", "ann", "four")
        sim.say("general", "bob", "@parley_bot five")
        await inbox.until(lambda inbox: {"three", "four", "five"} <= set(inbox.texts))
        sim.say("ann", "ann", "six")
        await inbox.until(lambda inbox: "six" in inbox.texts)
    direct = [message for message in inbox.committed if message.place.direct]
    texts = list(dict.fromkeys(message.text for message in direct))
    assert texts == ["one", "three", "four", "six"]
    assert all(message.place.direct == (message.sender.name == "ann") for message in inbox.committed)


async def test_what_was_said_while_nobody_listened_is_fetched_at_the_start(
    sim: DiscordSimulator, inbox: Inbox
) -> None:
    shelf = Shelf()
    first, second = channel_at(sim), channel_at(sim)
    for channel in (first, second):
        channel.remember_with(shelf)
    async with running(first, sim, inbox):
        sim.say("ann", "ann", "before")
        sim.say("general", "ann", "@parley_bot before too")
        await inbox.until(lambda inbox: len(inbox.committed) == 2)
    await first.close()
    for number in range(130):  # more than a page
        sim.say("ann", "ann", f"meanwhile {number}")
    sim.say("general", "ann", "not for the bot")
    sim.say("general", "ann", "@parley_bot for the bot")
    async with running(second, sim, inbox):
        await inbox.until(lambda inbox: len(inbox.committed) == 133)
        sim.say("ann", "ann", "after")
        await inbox.until(lambda inbox: "after" in inbox.texts)
    await second.close()
    direct = [message.text for message in inbox.committed if message.place.direct]
    assert direct == ["before", *(f"meanwhile {number}" for number in range(130)), "after"]
    assert len({message.dedupe_key for message in inbox.committed}) == len(inbox.committed)
    assert shelf.known[sim.chat_id("ann")] == f"{inbox.committed[-1].message_id}:direct"


async def test_a_message_that_was_not_committed_is_fetched_after_the_next_start(
    sim: DiscordSimulator, inbox: Inbox
) -> None:
    shelf = Shelf()
    first, second = channel_at(sim), channel_at(sim)
    for channel in (first, second):
        channel.remember_with(shelf)
    async with running(first, sim, inbox):
        sim.say("ann", "ann", "committed")
        await inbox.until(lambda inbox: bool(inbox.committed))
        inbox.away = True
        sim.say("ann", "ann", "received only")
        await inbox.until(lambda inbox: len(inbox.batches) > 2)
    await first.close()
    inbox.away = False
    async with running(second, sim, inbox):
        await inbox.until(lambda inbox: len(inbox.committed) == 2)
    await second.close()
    assert inbox.texts == ["committed", "received only"]


async def test_a_chat_is_known_before_anything_in_it_is_committed(
    sim: DiscordSimulator, inbox: Inbox
) -> None:
    shelf = Shelf()
    first, second = channel_at(sim), channel_at(sim)
    for channel in (first, second):
        channel.remember_with(shelf)
    inbox.away = True
    async with running(first, sim, inbox):
        sim.say("ann", "ann", "hello")
        await inbox.until(lambda inbox: bool(inbox.batches))
        assert sim.chat_id("ann") in shelf.known
    await first.close()
    inbox.away = False
    async with running(second, sim, inbox):
        await inbox.until(lambda inbox: inbox.texts == ["hello"])
    await second.close()


async def test_a_history_that_is_closed_holds_up_nobody(sim: DiscordSimulator, inbox: Inbox) -> None:
    channel = channel_at(sim)
    sim.say("general", "ann", "hello")
    chat = sim.chat_id("general")
    channel.remember_with(Shelf({chat: "1", "not an id": "x", "77": "5"}))
    sim.fault("forbidden", method="get_channel_messages", chat="general")
    sim.fault("reset", method="get_channel_messages", chat="77")
    async with running(channel, sim, inbox):
        sim.say("general", "ann", "@parley_bot live")
        await inbox.until(lambda inbox: "live" in inbox.texts)
    await channel.close()
    assert inbox.texts == ["live"]


async def test_without_the_intent_it_starts_all_the_same(
    inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    async with DiscordSimulator(intents=0) as sim:
        channel = channel_at(sim, message_content=True)
        async with running(channel, sim, inbox):
            sim.say("general", "ann", "@parley_bot hello")
            await inbox.until(lambda inbox: bool(inbox.committed))
        await channel.close()
    assert "message content intent: switch it on" in caplog.text


async def test_a_wrong_token(sim: DiscordSimulator, inbox: Inbox) -> None:
    wrong = channel_at(sim, token="wrong")
    with pytest.raises(Unauthorized) as caught:
        await wrong.connect()
    assert "wrong" not in str(caught.value)
    await wrong.close()


async def test_a_token_that_is_taken_back(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    me = await channel.connect()
    sim.fault("unauthorized", method="IDENTIFY")
    with pytest.raises(Unauthorized):
        await channel.run(account_of(me.name), inbox)


async def test_nobody_there(unused_tcp_port: int, inbox: Inbox) -> None:
    channel = DiscordChannel("t", f"http://127.0.0.1:{unused_tcp_port}/api/v10", pace=HASTE)
    with pytest.raises(NotSent):
        await channel.connect()
    await channel.close()


async def test_a_gateway_that_is_away(channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox) -> None:
    me = await channel.connect()
    sim.fault("refuse_connection", status=503, times=100)
    with pytest.raises(NotSent, match="gateway is away"):
        await channel.run(account_of(me.name), inbox)
    sim.faults.clear()
    async with running(channel, sim, inbox):
        sim.say("ann", "ann", "again")
        await inbox.until(lambda inbox: inbox.texts == ["again"])


async def test_the_gateway_is_asked_for_where_none_is_set(sim: DiscordSimulator, inbox: Inbox) -> None:
    channel = DiscordChannel("a.simulated.token", sim.api_url, pace=HASTE)
    async with running(channel, sim, inbox):
        sim.say("ann", "ann", "hello")
        await inbox.until(lambda inbox: inbox.texts == ["hello"])
    await channel.close()
    assert "get_gateway_bot" in [call.method for call in sim.calls]


async def test_the_store_is_waited_for(channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox) -> None:
    async with running(channel, sim, inbox):
        inbox.away = True
        for number in range(5):
            sim.say("ann", "ann", str(number))
        await inbox.until(lambda inbox: len(inbox.batches) > 3)
        inbox.away = False
        await inbox.until(lambda inbox: len(inbox.committed) == 5)
    assert inbox.texts == ["0", "1", "2", "3", "4"]


async def test_stopping_twice_is_stopping(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    for _ in range(2):
        async with running(channel, sim, inbox):
            assert sim.connected
        await sim.wait_for(lambda messages: not sim.connected)
