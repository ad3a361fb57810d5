"""What goes out: messages, edits, answers to commands; and what is known after each failure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bots.discord.adapter import DiscordChannel
from bots.discord.ids import nonce_of
from bots.discord.markup import MAX_TEXT
from bots.discord.send import MOST
from bots.discord.wire import Pace
from bots.simulators.discord import DiscordSimulator
from core.errors import Ambiguous, ChannelError, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable
from core.messages import OutboundMessage, Place
from core.ports import (
    CanCatchUp,
    CanEdit,
    CanOfferCommands,
    CanReact,
    CanReadBack,
    CanShowTyping,
    ChannelAdapter,
)
from tests.integration.discord.running import OFFERS, channel_at, place_in, running
from tests.integration.telegram.inbox import Inbox

CODE = "\n".join(f"    line_{number} = compute({number})  # " + "x" * 20 for number in range(170))
LONG = "Before.\n\n" + "A sentence of words. " * 90 + f"\n\n```python\n{CODE}\n```\n\nAfter."


def fits(channel: ChannelAdapter) -> ChannelAdapter:
    return channel


def test_it_fits_the_ports(channel: DiscordChannel) -> None:
    assert fits(channel) is channel
    for port in (CanEdit, CanShowTyping, CanReact, CanOfferCommands, CanReadBack, CanCatchUp):
        assert isinstance(channel, port)


@pytest.fixture
async def ann(channel: DiscordChannel, sim: DiscordSimulator) -> Place:
    await channel.connect()
    sim.say("ann", "ann", "hello")
    return place_in(sim, "ann")


@pytest.fixture
async def general(channel: DiscordChannel, sim: DiscordSimulator) -> Place:
    await channel.connect()
    sim.say("general", "ann", "hello all")
    return place_in(sim, "general", direct=False)


def message(place: Place, text: str, key: str = "k", **more: Any) -> OutboundMessage:
    return OutboundMessage(place=place, text=text, key=key, asked_at=datetime.now(UTC), **more)


def bodies(sim: DiscordSimulator, method: str) -> list[Any]:
    return [call.params for call in sim.calls if call.method == method]


async def test_every_send_has_its_nonce_and_pings_nobody_but_the_asker(
    channel: DiscordChannel, sim: DiscordSimulator, general: Place
) -> None:
    asked = sim.say("general", "bob", "a question")
    asker = sim.seen("general")[-1].extra["author_id"]
    text = f"@everyone @here <@{asker}> <@&5> and <@{sim.bot_id}>: https://a.example"
    first = message(general, text, reply_to=asked, extra={"asker": asker})
    await channel.send(first)
    await channel.send(message(general, text, key="other"))
    answer, other = sim.seen("general")[-2:]
    assert answer.text == text
    assert answer.extra["pings"] == ["bob"]
    assert answer.extra["reply_to"] == asked
    assert other.extra["pings"] == []
    for body, key in zip(bodies(sim, "create_message"), ("k", "other"), strict=True):
        assert body["nonce"] == nonce_of(key)
        assert len(body["nonce"]) <= 25
        assert body["enforce_nonce"] is True
        assert body["flags"] == 4
        assert body["allowed_mentions"]["parse"] == []


async def test_a_question_that_is_gone_is_answered_all_the_same(
    channel: DiscordChannel, sim: DiscordSimulator, general: Place
) -> None:
    asked = sim.say("general", "bob", "a question")
    sim.delete("general", asked)
    await channel.send(message(general, "an answer", reply_to=asked))
    assert sim.seen("general")[-1].text == "an answer"


async def test_in_direct_messages_nothing_is_quoted(
    channel: DiscordChannel, sim: DiscordSimulator, ann: Place
) -> None:
    await channel.send(message(ann, "hi", reply_to=sim.seen("ann")[0].id))
    assert "message_reference" not in bodies(sim, "create_message")[0]


async def test_a_long_answer_arrives_whole_and_in_order(
    channel: DiscordChannel, sim: DiscordSimulator, ann: Place
) -> None:
    assert len(LONG) > 9000
    pieces = channel.split(LONG)
    for number, piece in enumerate(pieces):
        await channel.send(message(ann, piece, key=str(number)))
    shown = [seen.text for seen in sim.seen("ann") if seen.by_bot]
    assert all(len(text) <= MAX_TEXT for text in shown)
    code = [line for text in shown for line in text.split("\n") if "compute(" in line]
    assert code == CODE.split("\n")
    assert (shown[0].startswith("Before."), shown[-1].endswith("After.")) == (True, True)
    assert all(text.count("```") % 2 == 0 for text in shown)


@pytest.mark.parametrize("fault", ["accept_then_drop", "slow"])
async def test_a_lost_answer_is_ambiguous_and_repeating_shows_nothing_twice(
    sim: DiscordSimulator, fault: str
) -> None:
    channel = channel_at(sim, pace=Pace(answer=0.3))
    await channel.connect()
    sim.say("ann", "ann", "hello")
    once = message(place_in(sim, "ann"), "once")
    sim.fault(fault, method="create_message", seconds=5)
    with pytest.raises(Ambiguous):
        await channel.send(once)
    receipt = await channel.send(once)
    await channel.close()
    shown = [seen for seen in sim.seen("ann") if seen.by_bot]
    assert [(seen.id, seen.text) for seen in shown] == [(receipt, "once")]


@pytest.mark.parametrize("direct", [True, False])
async def test_what_the_nonce_has_forgotten_is_found_by_looking(direct: bool) -> None:
    async with DiscordSimulator(nonce_seconds=0) as sim:
        channel = channel_at(sim)
        await channel.connect()
        chat = "ann" if direct else "general"
        asked = sim.say(chat, "ann", "hello")
        sent = message(place_in(sim, chat, direct=direct), "**once**", reply_to=asked)
        later = message(place_in(sim, chat, direct=direct), "second part", key="k2")
        assert await channel.read_back(sent) is None
        receipts = [await channel.send(sent), await channel.send(later)]
        assert [await channel.read_back(sent), await channel.read_back(later)] == receipts
        assert await channel.read_back(replace(sent, text="never sent")) is None
        sim.fault("forbidden", method="get_channel_messages")
        with pytest.raises(Undeliverable):
            await channel.read_back(sent)
        await channel.close()


async def test_what_was_looked_for_in_so_many_messages_is_not_called_missing(
    channel: DiscordChannel, sim: DiscordSimulator, general: Place
) -> None:
    """It may be beyond them: who believed that it is not there would send it again. Nor is it worth another
    look, which would see the same."""
    asked = sim.say("general", "bob", "a question")
    for number in range(MOST - 1):
        sim.say("general", "bob", f"noise {number}")
    found, beyond = (message(general, text, key=text, reply_to=asked) for text in ("found", "beyond"))
    receipt = await channel.send(found)
    await channel.send(beyond)
    assert await channel.read_back(found) == receipt
    with pytest.raises(ChannelError, match="nobody looks further") as caught:
        await channel.read_back(beyond)
    assert not isinstance(caught.value, NotSent | Ambiguous)


FAULTS: list[tuple[dict[str, Any], type[ChannelError]]] = [
    ({"kind": "unauthorized"}, Unauthorized),
    ({"kind": "forbidden"}, Undeliverable),
    ({"kind": "server_error", "status": 503}, Ambiguous),
    ({"kind": "html", "status": 520}, Ambiguous),
    ({"kind": "html", "status": 400}, Rejected),
    ({"kind": "reset"}, Ambiguous),
    ({"kind": "too_many_requests", "seconds": 60}, NotSent),
    ({"kind": "global_limit", "seconds": 60}, NotSent),
    ({"kind": "banned"}, NotSent),
]


@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=[f"{fault}" for fault, _ in FAULTS])
async def test_what_a_failure_means(
    channel: DiscordChannel,
    sim: DiscordSimulator,
    ann: Place,
    fault: dict[str, Any],
    kind: type[ChannelError],
) -> None:
    sim.fault(method="create_message", **fault)
    with pytest.raises(kind) as caught:
        await channel.send(message(ann, "hello"))
    assert type(caught.value) is kind
    assert (caught.value.retry_after == 60) == (kind is NotSent)
    assert [seen for seen in sim.seen("ann") if seen.by_bot] == []


async def test_a_refused_token_is_not_shown_again_and_again(
    channel: DiscordChannel, sim: DiscordSimulator, ann: Place
) -> None:
    await channel.connect()
    sim.fault("unauthorized", method="create_message", times=100)
    for number in range(10):
        with pytest.raises(Unauthorized):
            await channel.send(message(ann, "hello", key=f"k{number}"))
    assert len(bodies(sim, "create_message")) == sim.limits.invalid_requests == 3
    sim.faults.clear()
    await channel.connect()  # who it is may be asked, and that it is let in again counts
    await channel.send(message(ann, "hello"))


async def test_while_the_whole_bot_or_its_address_is_shut_out_nothing_is_called(
    channel: DiscordChannel, sim: DiscordSimulator, ann: Place, general: Place
) -> None:
    await channel.connect()
    for kind in ("global_limit", "banned"):
        other = channel_at(sim)
        await other.connect()
        before = len(sim.calls)
        sim.fault(kind, seconds=14_000)
        for place in (ann, general, ann):
            with pytest.raises(NotSent) as caught:
                await other.send(message(place, "hello"))
            assert caught.value.retry_after is not None
            assert caught.value.retry_after > 50
        assert len(sim.calls) == before + 1
        await other.close()


@pytest.mark.parametrize("status", [500, 502, 504, 524])
async def test_the_library_repeats_nothing(
    channel: DiscordChannel, sim: DiscordSimulator, ann: Place, status: int
) -> None:
    sim.fault("server_error", method="create_message", status=status)
    with pytest.raises(Ambiguous):
        await channel.send(message(ann, "hello"))
    assert len(bodies(sim, "create_message")) == 1


async def test_an_empty_bucket_says_how_long_and_holds_up_nobody(
    channel: DiscordChannel, sim: DiscordSimulator, ann: Place
) -> None:
    """The library would sleep in the call that took the last one, and in the next before it goes out."""
    sim.limits.enforced = True
    sim.limits.sizes["create_message"] = (3, 3600.0)
    for number in range(3):
        await channel.send(message(ann, "hello", key=f"k{number}"))
    with pytest.raises(NotSent) as caught:
        await channel.send(message(ann, "one more", key="more"))
    assert len(bodies(sim, "create_message")) == 3
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 3000


async def test_a_chat_that_is_closed(
    channel: DiscordChannel, sim: DiscordSimulator, ann: Place, general: Place
) -> None:
    for place, chat in ((ann, "ann"), (general, "general")):
        sim.shut(chat)
        with pytest.raises(Undeliverable):
            await channel.send(message(place, "hello"))
    with pytest.raises(Undeliverable):
        await channel.send(message(replace(ann, chat="5"), "hello"))


async def test_nobody_there_is_certain(unused_tcp_port: int, sim: DiscordSimulator, ann: Place) -> None:
    channel = channel_at(sim)
    await channel.connect()
    await sim.stop()
    with pytest.raises(ChannelError):  # on a connection that was open still
        await channel.send(message(ann, "hello"))
    with pytest.raises(NotSent):
        await channel.send(message(ann, "hello"))
    await channel.close()


async def test_edit(channel: DiscordChannel, sim: DiscordSimulator, ann: Place) -> None:
    receipt = await channel.send(message(ann, "…"))
    for _ in range(2):
        await channel.edit(ann, receipt, "**done**")
    shown = sim.seen("ann")[-1]
    assert (shown.id, shown.text) == (receipt, "**done**")
    with pytest.raises(TargetGone):
        await channel.edit(ann, "99", "nothing")


@pytest.mark.parametrize("wrong", ["x", "", "1.5", "-1", "../users/@me"])
async def test_ids_that_are_not_discords(channel: DiscordChannel, ann: Place, wrong: str) -> None:
    attempts: list[Callable[[], Any]] = [
        lambda: channel.send(message(replace(ann, chat=wrong), "x")),
        lambda: channel.edit(ann, wrong, "x"),
        lambda: channel.react(ann, wrong, "👀"),
    ]
    for attempt in attempts:
        with pytest.raises(Rejected):
            await attempt()


async def test_typing_and_reactions(channel: DiscordChannel, sim: DiscordSimulator, ann: Place) -> None:
    await channel.show_typing(ann)
    await channel.react(ann, str(sim.seen("ann")[0].id), "⏳")
    assert bodies(sim, "trigger_typing_indicator")
    assert sim.seen("ann")[0].extra["reactions"][0]["emoji"] == "⏳"


async def test_menu_of_commands(channel: DiscordChannel, sim: DiscordSimulator) -> None:
    await channel.connect()
    await channel.offer_commands([*OFFERS, replace(OFFERS[0], name="Not Here!")])
    offered = bodies(sim, "overwrite_commands")[0]
    assert [command["name"] for command in offered] == ["ask", "help", "stop"]
    assert [option["name"] for option in offered[0]["options"]] == ["question"]
    assert all(command["contexts"] == [0, 1] for command in offered)


async def test_an_answer_to_a_command_takes_the_place_of_thinking(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        sim.slash("general", "ann", "ask", {"question": "why?"})
        await inbox.until(lambda inbox: bool(inbox.committed))
    asked = inbox.committed[0]
    first = message(asked.place, "…", reply_to=asked.message_id, extra=asked.extra)
    for _ in range(2):  # it may be repeated: it is an edit
        receipt = await channel.send(first)
    await channel.edit(asked.place, receipt, "because")
    await channel.send(message(asked.place, "and so on", key="k2", extra=asked.extra))
    shown = [seen for seen in sim.seen("general") if seen.by_bot]
    assert [seen.text for seen in shown] == ["because", "and so on"]
    assert not shown[0].extra["loading"]
    assert await channel.read_back(replace(first, text="because")) == receipt


async def test_after_its_time_a_command_is_answered_by_a_message(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        sim.slash("general", "ann", "ask", {"question": "why?"})
        await inbox.until(lambda inbox: bool(inbox.committed))
    asked = inbox.committed[0]
    first = message(asked.place, "…", reply_to=asked.message_id, extra=asked.extra)
    receipt = await channel.send(first)
    sim.clock.turn(901)
    await channel.edit(asked.place, receipt, "late")
    assert [seen.text for seen in sim.seen("general") if seen.by_bot] == ["late"]
    await channel.send(replace(first, text="later still", key="k2"))
    assert [seen.text for seen in sim.seen("general") if seen.by_bot] == ["late", "later still"]


async def test_where_the_bot_may_only_answer_commands_the_rest_follows_up(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        sim.slash("general", "ann", "ask", {"question": "why?"})
        await inbox.until(lambda inbox: bool(inbox.committed))
    asked = inbox.committed[0]
    await channel.send(message(asked.place, "one", reply_to=asked.message_id, extra=asked.extra))
    sim.fault("forbidden", method="create_message", times=2)
    await channel.send(message(asked.place, "two", key="k2", extra=asked.extra))
    sim.fault("accept_then_drop", method="create_followup_message")
    with pytest.raises(Undeliverable, match="may have gone out"):
        await channel.send(message(asked.place, "three", key="k3", extra=asked.extra))
    assert [seen.text for seen in sim.seen("general") if seen.by_bot] == ["one", "two", "three"]


async def test_stop_leaves_no_thinking_behind(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        called = sim.slash("ann", "ann", "stop")
        await sim.wait_for(lambda _: called.answered)
    said = sim.seen("ann")[-1]
    assert said.text == "Stopping."
    await channel.react(inbox.committed[0].place, inbox.committed[0].message_id, "⏳")
    assert sim.seen("ann")[-1].text == "⏳"
