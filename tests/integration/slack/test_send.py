"""What goes out, once, where it belongs, and what is certain when it did not."""

import asyncio
from datetime import UTC, datetime

import pytest

from bots.simulators.slack import SlackSimulator
from bots.slack.adapter import SlackChannel
from bots.slack.send import MOST_PAGES, PAGE
from core.errors import Ambiguous, ChannelError, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable
from core.messages import OutboundMessage, Place
from core.ports import CanEdit, CanOfferCommands, CanReact, CanReadBack, CanShowTyping, ChannelAdapter
from tests.integration.slack.conftest import BOT_TOKEN, HASTE, SECRET
from tests.integration.slack.inbox import ACCOUNT, Inbox
from tests.integration.slack.running import running

POST, UPDATE = "chat.postMessage", "chat.update"


def place(sim: SlackSimulator, chat: str, thread: str = "") -> Place:
    where = sim.chat_id(chat)
    return Place(
        account_id=ACCOUNT.id, channel="slack", chat=where, thread=thread, direct=where.startswith("D")
    )


def outbound(where: Place, text: str, key: str = "k1", **extra: str) -> OutboundMessage:
    return OutboundMessage(place=where, text=text, key=key, asked_at=datetime.now(UTC), extra=extra)


def posts(sim: SlackSimulator, method: str = POST) -> int:
    return sum(call.method == method for call in sim.calls)


def said(sim: SlackSimulator, chat: str = "ann") -> list[str]:
    return [seen.text for seen in sim.seen(chat) if seen.by_bot]


@pytest.fixture
async def ann(sim: SlackSimulator, channel: SlackChannel) -> Place:
    await channel.connect()
    sim.say("ann", "ann", "hello")
    return place(sim, "ann")


def test_it_fits_the_ports(channel: SlackChannel) -> None:
    adapter: ChannelAdapter = channel
    assert (adapter.name, adapter.traits.max_text, adapter.traits.single_receiver) == ("slack", 4000, False)
    assert (adapter.traits.streaming, adapter.traits.after_ambiguous) == ("edit", "read_back")
    assert SlackChannel("xoxb-x", "xapp-x", stream=False).traits.streaming == "none"
    for port in (CanEdit, CanShowTyping, CanReact, CanReadBack, CanOfferCommands):
        assert isinstance(channel, port)


async def test_a_formatted_message(channel: SlackChannel, sim: SlackSimulator, ann: Place) -> None:
    receipt = await channel.send(outbound(ann, "Hi **there**, see [it](https://a.example/x.png) & `a<b`"))
    answer = await sim.next_answer("ann")
    assert (answer.id, answer.text) == (receipt, "Hi there, see it & a<b")
    assert [entity["type"] for entity in answer.versions[-1].entities] == ["bold", "link", "code"]
    posted = sim.calls[-1].params
    assert posted["text"] == "Hi *there*, see <https://a.example/x.png|it> &amp; `a&lt;b`"
    assert posted["blocks"][0]["type"] == "markdown"
    assert posted["metadata"] == {"event_type": "parley", "event_payload": {"k": "k1"}}
    assert (posted["unfurl_links"], posted["unfurl_media"], posted["parse"]) == (False, False, "none")
    assert answer.extra["unfurls"] == []


async def test_an_answer_goes_into_its_thread(channel: SlackChannel, sim: SlackSimulator) -> None:
    await channel.connect()
    root = sim.say("team", "ann", "hello", mention=True)
    receipt = await channel.send(outbound(place(sim, "team", root), "here"))
    assert sim.message("team", receipt).thread_ts == root


@pytest.mark.parametrize(
    "text",
    [
        "<!channel> <!here> <!everyone> <!subteam^S0123456|@team>",
        "`<!channel>` and\n\n```\n<!here>\n```",
        "&lt;!channel&gt; and \\<!channel> and <@U0SIMBOT0> and <#C0123|x>",
        "@channel @here @everyone",
        "[<!channel>](https://a.example)",
    ],
)
async def test_nobody_is_rung(channel: SlackChannel, sim: SlackSimulator, ann: Place, text: str) -> None:
    receipt = await channel.send(outbound(ann, text))
    assert sim.message("ann", receipt).seen.extra["pings"] == []
    await channel.edit(ann, receipt, f"{text}!")
    assert sim.message("ann", receipt).seen.extra["pings"] == []


async def test_a_link_cannot_lie(channel: SlackChannel, sim: SlackSimulator, ann: Place) -> None:
    await channel.send(outbound(ann, "[https://bank.example](https://evil.example/x)"))
    assert said(sim) == ["https://bank.example (evil.example)"]


async def test_a_long_answer_arrives_whole_and_each_piece_can_be_edited(
    channel: SlackChannel, sim: SlackSimulator, ann: Place
) -> None:
    code = "\n".join(f"value_{number} = compute({number})  # {'<&>' * 8}" for number in range(170))
    pieces = channel.split(f"Look:\n\n```python\n{code}\n```\n\nDone.")
    receipts = [
        await channel.send(outbound(ann, piece, key=f"k{number}")) for number, piece in enumerate(pieces)
    ]
    for receipt, piece in zip(receipts, pieces, strict=True):
        await channel.edit(ann, receipt, piece)
    texts = said(sim)
    assert [line for text in texts for line in text.split("\n") if "value_" in line] == code.split("\n")
    fallback = [sim.message("ann", receipt).text for receipt in receipts]
    assert all(text.count("```") == 2 and len(text) <= 4000 for text in fallback)
    lines = [line for text in fallback for line in text.split("\n") if "value_" in line]
    assert lines == [line.replace("<&>", "&lt;&amp;&gt;") for line in code.split("\n")]


async def test_where_blocks_are_not_known_the_text_goes(
    channel: SlackChannel, sim: SlackSimulator, ann: Place
) -> None:
    sim.fault("invalid_blocks", method=POST)
    receipt = await channel.send(outbound(ann, "a **b**"))
    assert (said(sim), sim.message("ann", receipt).blocks) == (["a b"], [])
    assert posts(sim) == 2


async def test_edits(channel: SlackChannel, sim: SlackSimulator, ann: Place) -> None:
    receipt = await channel.send(outbound(ann, "…", key="placeholder"))
    for text in ("**one**", "@here two", "**three**", "**three**"):
        await channel.edit(ann, receipt, text)
    assert said(sim) == ["three"]
    assert sim.message("ann", receipt).metadata == {
        "event_type": "parley",
        "event_payload": {"k": "placeholder"},
    }
    with pytest.raises(TargetGone):
        await channel.edit(ann, "1700000000.000100", "x")
    with pytest.raises(TargetGone):
        await channel.edit(ann, "response:k1", "x")


@pytest.mark.parametrize("fault", ["accept_then_drop", "accept_then_error"])
async def test_a_lost_answer_is_read_back_and_not_repeated(
    channel: SlackChannel, sim: SlackSimulator, ann: Place, fault: str
) -> None:
    message = outbound(ann, "once")
    sim.fault(fault, method=POST)
    with pytest.raises(Ambiguous):
        await channel.send(message)
    receipt = await channel.read_back(message)
    assert receipt == next(seen.id for seen in sim.seen("ann") if seen.by_bot)
    assert (said(sim), posts(sim)) == (["once"], 1)


@pytest.mark.parametrize("thread", [True, False])
async def test_reading_back_in_threads_and_over_pages(
    channel: SlackChannel, sim: SlackSimulator, thread: bool
) -> None:
    await channel.connect()
    root = sim.say("team", "ann", "hello")
    where = place(sim, "team", root if thread else "")
    message = outbound(where, "ours", key="mine")
    receipt = await channel.send(message)
    for number in range(250):
        sim.say("team", "ann", f"noise {number}", thread=root if thread else None)
    assert await channel.read_back(message) == receipt
    assert await channel.read_back(outbound(where, "ours", key="other")) is None


async def test_what_was_looked_for_in_so_many_messages_is_not_called_missing(
    channel: SlackChannel, sim: SlackSimulator
) -> None:
    """It may be beyond them: who believed that it is not there would send it again. Nor is it worth another
    look, which would see the same."""
    await channel.connect()
    root = sim.say("team", "ann", "hello")
    message = outbound(place(sim, "team", root), "ours", key="mine")
    for number in range(MOST_PAGES * PAGE):
        sim.say("team", "ann", f"noise {number}", thread=root)
    await channel.send(message)
    with pytest.raises(ChannelError, match="nobody looks further") as caught:
        await channel.read_back(message)
    assert not isinstance(caught.value, NotSent | Ambiguous)
    assert posts(sim, "conversations.replies") == MOST_PAGES


async def test_what_is_not_there_is_looked_for_twice(
    channel: SlackChannel, sim: SlackSimulator, ann: Place
) -> None:
    sim.fault("reset", method=POST)
    with pytest.raises(Ambiguous):
        await channel.send(outbound(ann, "never"))
    assert await channel.read_back(outbound(ann, "never")) is None
    assert posts(sim, "conversations.history") == 2


async def test_a_look_that_is_refused_is_no_look(
    channel: SlackChannel, sim: SlackSimulator, ann: Place
) -> None:
    sim.fault("missing_scope", method="conversations.history")
    with pytest.raises(ChannelError, match=r"im:history|missing_scope"):
        await channel.read_back(outbound(ann, "x"))


async def test_a_rate_limit_says_when(channel: SlackChannel, sim: SlackSimulator, ann: Place) -> None:
    sim.fault("too_many_requests", method=POST, seconds=7)
    with pytest.raises(NotSent) as caught:
        await channel.send(outbound(ann, "x"))
    assert caught.value.retry_after == 7
    assert (said(sim), posts(sim)) == ([], 1)


@pytest.mark.parametrize(
    ("fault", "status", "error", "certain"),
    [
        ("internal_error", 200, Ambiguous, False),
        ("fatal_error", 200, Ambiguous, False),
        ("service_unavailable", 200, Ambiguous, False),
        ("server_error", 503, Ambiguous, False),
        ("html", 502, Ambiguous, False),
        ("reset", 0, Ambiguous, False),
        ("is_archived", 200, Undeliverable, True),
        ("channel_not_found", 200, Undeliverable, True),
        ("not_in_channel", 200, Undeliverable, True),
        ("restricted_action_read_only_channel", 200, Undeliverable, True),
        ("token_revoked", 200, Unauthorized, True),
        ("invalid_auth", 200, Unauthorized, True),
        ("account_inactive", 200, Unauthorized, True),
        ("missing_scope", 200, Unauthorized, True),
        ("msg_too_long", 200, Rejected, True),
        ("unknown_method", 200, Rejected, True),
    ],
)
async def test_what_is_certain(
    channel: SlackChannel,
    sim: SlackSimulator,
    ann: Place,
    fault: str,
    status: int,
    error: type[ChannelError],
    certain: bool,
) -> None:
    sim.fault(fault, method=POST, **({"status": status} if fault in ("server_error", "html") else {}))
    with pytest.raises(error) as caught:
        await channel.send(outbound(ann, "x"))
    assert type(caught.value) is error
    assert caught.value.certain is certain
    assert (said(sim), posts(sim)) == ([], 1)


async def test_a_slow_answer_is_ambiguous(sim: SlackSimulator, ann: Place) -> None:
    channel = SlackChannel(BOT_TOKEN, "", SECRET, sim.api_url, answer_seconds=0.1, looks=(0.0,))
    message = outbound(ann, "once")
    sim.fault("slow", method=POST, seconds=5)
    await channel.connect()
    with pytest.raises(Ambiguous, match="TimeoutError"):
        await channel.send(message)
    assert await channel.read_back(message) is not None
    await channel.close()


async def test_nobody_there_is_not_sent(ann: Place) -> None:
    channel = SlackChannel(BOT_TOKEN, "", SECRET, "http://127.0.0.1:9")
    with pytest.raises(NotSent):
        await channel.send(outbound(ann, "x"))
    await channel.close()


async def test_a_command_from_outside_is_answered_at_its_own_address(sim: SlackSimulator) -> None:
    inbox = Inbox()
    channel = SlackChannel(BOT_TOKEN, "xapp-test", "", sim.api_url, patience=HASTE)
    async with running(channel, inbox):
        await sim.sockets.opened.wait()
        sim.slash("private", "ann", "/parley", "what is it")
        await inbox.until(lambda inbox: len(inbox.committed) == 1)
        asked = inbox.messages[0]
        known = sim.world.find("private")
        assert known is not None
        known.is_member = False
        with pytest.raises(Undeliverable):  # a placeholder that nobody could change
            await channel.send(outbound(asked.place, "…", **asked.extra))
        receipt = await channel.send(outbound(asked.place, "an **answer**", **asked.extra))
        assert receipt == "response:k1"
        assert said(sim, "private") == ["an answer"]
        with pytest.raises(Undeliverable):
            await channel.send(outbound(asked.place, "late", response_url=f"{sim.url}/responses/T/999/x"))
    await channel.close()


async def test_the_status_ends_with_the_first_words(channel: SlackChannel, sim: SlackSimulator) -> None:
    await channel.connect()
    root = sim.say("ann", "ann", "hello")
    where = place(sim, "ann", root)
    await channel.show_typing(where)
    assert sim.status("ann", root) == "is thinking…"
    receipt = await channel.send(outbound(where, "…"))
    await channel.show_typing(where)
    for _ in range(2):
        await channel.edit(where, receipt, "words")
    assert sim.status("ann", root) == ""
    assert posts(sim, "assistant.threads.setStatus") == 3
    await channel.show_typing(place(sim, "ann"))  # outside of a thread there is nowhere to show it
    assert posts(sim, "assistant.threads.setStatus") == 3


async def test_a_status_that_is_refused_harms_no_edit(channel: SlackChannel, sim: SlackSimulator) -> None:
    await channel.connect()
    root = sim.say("ann", "ann", "hello")
    where = place(sim, "ann", root)
    receipt = await channel.send(outbound(where, "…"))
    sim.fault("unknown_method", method="assistant.threads.setStatus", times=2)
    with pytest.raises(ChannelError):
        await channel.show_typing(where)
    await channel.edit(where, receipt, "words")
    assert said(sim) == ["words"]


async def test_reactions(channel: SlackChannel, sim: SlackSimulator, ann: Place) -> None:
    ts = sim.seen("ann")[0].id
    for sign in ("⏳", "⏳", "🦄"):
        await channel.react(ann, str(ts), sign)
    await channel.react(ann, "", "⏳")
    assert sim.seen("ann")[0].extra["reactions"] == ["hourglass_flowing_sand", "eyes"]


async def test_many_at_once(channel: SlackChannel, sim: SlackSimulator, ann: Place) -> None:
    await asyncio.gather(*(channel.send(outbound(ann, f"m{n}", key=f"k{n}")) for n in range(20)))
    assert sorted(said(sim)) == sorted(f"m{n}" for n in range(20))
