"""A store that is away longer than the gateway waits: it is left, and the session gone on with later."""

import asyncio
from collections.abc import Sequence

import pytest

from bots.discord.adapter import DiscordChannel
from bots.discord.gaps import TRIES
from bots.discord.receive import Patience
from bots.simulators.discord import DiscordSimulator
from core.messages import InboundMessage
from tests.integration.discord.running import Shelf, channel_at, running
from tests.integration.telegram.inbox import Inbox

SHORT = Patience(error=(0.01, 0.02), command=0.3, cursors=0.02, fetch=0.0, store=0.1)
NARROW = Patience(error=(0.01, 0.02), command=0.3, cursors=0.02, fetch=0.0, room=3)


def greetings(sim: DiscordSimulator) -> list[str]:
    return [call.method for call in sim.calls if call.method in ("IDENTIFY", "RESUME")]


def looks(sim: DiscordSimulator) -> int:
    return [call.method for call in sim.calls].count("get_channel_messages")


@pytest.mark.parametrize("patience", [SHORT, NARROW], ids=["too long", "too many"])
async def test_the_gateway_is_left_and_the_session_resumed(
    sim: DiscordSimulator, inbox: Inbox, patience: Patience
) -> None:
    channel = channel_at(sim, patience=patience)
    async with running(channel, sim, inbox):
        sim.say("ann", "ann", "before")
        await inbox.until(lambda box: len(box.committed) == 1)
        inbox.away = True
        for number in range(9):
            sim.say("ann", "ann", f"meanwhile {number}")
        await sim.wait_for(lambda _: not sim.connected)
        sim.say("ann", "ann", "while nobody listens")
        assert greetings(sim) == ["IDENTIFY"]
        inbox.away = False
        await inbox.until(lambda box: "while nobody listens" in box.texts)
    await channel.close()
    assert greetings(sim) == ["IDENTIFY", "RESUME"]
    told = ["before", *(f"meanwhile {number}" for number in range(9)), "while nobody listens"]
    assert list(dict.fromkeys(inbox.texts)) == told
    assert not any(call.method == "get_channel_messages" for call in sim.calls)


async def test_a_session_that_did_not_last_is_made_good_from_the_histories(inbox: Inbox) -> None:
    async with DiscordSimulator(resume_seconds=60) as sim:
        channel = channel_at(sim, patience=SHORT)
        async with running(channel, sim, inbox):
            sim.say("ann", "ann", "before")
            await inbox.until(lambda box: len(box.committed) == 1)
            inbox.away = True
            sim.say("ann", "ann", "received")
            await sim.wait_for(lambda _: not sim.connected)
            sim.say("ann", "ann", "told to nobody")
            sim.clock.turn(61)
            inbox.away = False
            await inbox.until(lambda box: "told to nobody" in box.texts)
        await channel.close()
        assert greetings(sim) == ["IDENTIFY", "RESUME", "IDENTIFY"]
        assert list(dict.fromkeys(inbox.texts)) == ["before", "received", "told to nobody"]


async def test_a_store_that_says_nothing_is_away_too(sim: DiscordSimulator, inbox: Inbox) -> None:
    gate = asyncio.Event()

    async def accept(messages: Sequence[InboundMessage]) -> None:
        await gate.wait()
        await inbox(messages)

    channel = channel_at(sim, patience=SHORT)
    async with running(channel, sim, accept):
        sim.say("ann", "ann", "one")
        await sim.wait_for(lambda _: not sim.connected)
        sim.say("ann", "ann", "two")
        gate.set()
        await inbox.until(lambda box: "two" in box.texts)
    await channel.close()
    assert greetings(sim) == ["IDENTIFY", "RESUME"]
    assert inbox.texts == ["one", "two"]


async def test_leaving_for_good_ends_the_session(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    """Nobody could resume it: the next start identifies itself and reads the histories."""
    async with running(channel, sim, inbox):
        assert len(sim.gateway.sessions) == 1
    await sim.wait_for(lambda _: not sim.gateway.sessions)


async def test_what_a_server_did_not_tell_is_found_by_looking_around(
    sim: DiscordSimulator, inbox: Inbox
) -> None:
    channel = channel_at(sim, patience=Patience(error=(0.01, 0.02), cursors=0.02, fetch=0.0, look=0.05))
    counts: list[int] = []
    channel.count_fetched_with(counts.append)
    async with running(channel, sim, inbox):
        sim.say("ann", "ann", "one")
        await inbox.until(lambda box: len(box.committed) == 1)
        (session,) = sim.gateway.sessions.values()
        sim.gateway.sessions.clear()  # the gateway goes on, but tells nothing
        sim.say("ann", "ann", "untold")
        sim.gateway.sessions[session.id] = session
        sim.say("ann", "ann", "told")
        await inbox.until(lambda box: {"untold", "told"} <= set(box.texts))
    await channel.close()
    assert sorted(inbox.texts) == ["one", "told", "untold"]
    assert sum(counts) in (1, 2)  # a look may be faster than the gateway


async def test_what_is_found_after_a_start_is_counted_and_so_much_comes_in_portions(
    sim: DiscordSimulator, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    sim.say("ann", "ann", "first")
    channel = channel_at(sim)
    channel.remember_with(Shelf({sim.chat_id("ann"): f"{sim.seen('ann')[0].id}:direct"}))
    for number in range(503):
        sim.say("ann", "ann", f"meanwhile {number}")
    counts: list[int] = []
    channel.count_fetched_with(counts.append)
    async with running(channel, sim, inbox):
        await inbox.until(lambda box: len(box.committed) == 503)
        sim.say("ann", "ann", "live")
        await inbox.until(lambda box: "live" in box.texts)
    await channel.close()
    assert counts == [100] * 5 + [3]
    assert inbox.texts == [*(f"meanwhile {number}" for number in range(503)), "live"]
    assert "more than 500 messages" in caplog.text


async def test_a_history_that_cannot_be_read_stays_owed_to_the_next_start(
    sim: DiscordSimulator, inbox: Inbox
) -> None:
    """What comes live is let through; the stored cursor stays before what nobody read."""
    sim.say("ann", "ann", "before")
    chat, cursor = sim.chat_id("ann"), f"{sim.seen('ann')[0].id}:direct"
    shelf = Shelf({chat: cursor})
    first, second = channel_at(sim), channel_at(sim)
    for channel in (first, second):
        channel.remember_with(shelf)
    sim.say("ann", "ann", "while nobody listens")
    sim.fault("server_error", method="get_channel_messages", status=503, times=1000)
    async with running(first, sim, inbox):
        sim.say("ann", "ann", "live")
        sim.say("bob", "bob", "elsewhere")
        await inbox.until(lambda box: len(box.committed) == 2)
    await first.close()
    assert sorted(inbox.texts) == ["elsewhere", "live"]
    assert shelf.known[chat] == cursor
    assert sim.chat_id("bob") in shelf.known
    sim.faults.clear()
    async with running(second, sim, inbox):
        await inbox.until(lambda box: "while nobody listens" in box.texts)
        sim.say("ann", "ann", "after")
        await inbox.until(lambda box: "after" in box.texts)
    await second.close()
    assert shelf.known[chat] == f"{inbox.committed[-1].message_id}:direct"


async def test_a_history_that_cannot_be_read_is_asked_for_until_it_can(
    sim: DiscordSimulator, inbox: Inbox
) -> None:
    """Long after the first tries, and without a look around, which comes much later."""
    sim.say("ann", "ann", "before")
    shelf = Shelf({sim.chat_id("ann"): f"{sim.seen('ann')[0].id}:direct"})
    channel = channel_at(sim)
    channel.remember_with(shelf)
    sim.say("ann", "ann", "while nobody listens")
    sim.fault("server_error", method="get_channel_messages", status=503, times=1000)
    async with running(channel, sim, inbox):
        await sim.wait_for(lambda _: looks(sim) > TRIES + 1)
        sim.say("ann", "ann", "live")
        await inbox.until(lambda box: box.texts == ["live"])
        sim.faults.clear()
        await inbox.until(lambda box: "while nobody listens" in box.texts)
    await channel.close()
    assert inbox.texts == ["live", "while nobody listens"]
    assert shelf.known[sim.chat_id("ann")] == f"{inbox.committed[0].message_id}:direct"


async def test_calls_for_histories_keep_their_distance(sim: DiscordSimulator, inbox: Inbox) -> None:
    """With an hour between two of them there is one; what is told live elsewhere does not wait for it."""
    people = [f"person {number}" for number in range(6)]
    for person in people:
        sim.say(person, person, "hello")
    shelf = Shelf({sim.chat_id(person): "1:direct" for person in people})
    channel = channel_at(sim, patience=Patience(error=(0.01, 0.02), cursors=0.02, fetch=3600.0))
    channel.remember_with(shelf)
    async with running(channel, sim, inbox):
        await inbox.until(lambda box: len(box.committed) == 1)
        sim.say("zoe", "zoe", "live")
        await inbox.until(lambda box: len(box.committed) == 2)
        assert looks(sim) == 1
    await channel.close()


async def test_a_history_that_is_closed_is_not_asked_for_again_and_again(
    sim: DiscordSimulator, inbox: Inbox
) -> None:
    """Discord counts its refusals. Another channel shows that the looks go on, and since the calls are kept
    apart, some come while the one that will be refused still waits for its turn."""
    people = ("bob", "ann")
    for person in people:
        sim.say(person, person, "hello")
    chats = {person: sim.chat_id(person) for person in people}
    sim.fault("forbidden", method="get_channel_messages", chat="ann", times=100)
    channel = channel_at(sim, patience=Patience(error=(0.01, 0.02), cursors=0.02, fetch=0.1, look=0.02))
    channel.remember_with(Shelf(dict.fromkeys(chats.values(), "1:direct")))

    def looks(person: str) -> int:
        return sum(call.path.endswith(f"/channels/{chats[person]}/messages") for call in sim.calls)

    async with running(channel, sim, inbox):
        await sim.wait_for(lambda _: looks("bob") >= 5)
    await channel.close()
    assert looks("ann") == 1
