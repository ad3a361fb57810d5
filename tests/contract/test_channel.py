"""What every channel keeps, whoever is behind it: identity, whole texts, receipts, and certain errors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

import pytest

from bots.console.channel import ConsoleChannel
from bots.discord.adapter import DiscordChannel
from bots.simulators.discord import DiscordSimulator
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from bots.slack.adapter import SlackChannel
from bots.telegram.adapter import TelegramChannel
from core.errors import ChannelError, Rejected
from core.messages import Account, OutboundMessage, Place
from core.ports import CanDraft, CanEdit, ChannelAdapter

PROSE = "\n\n".join(f"Paragraph {number} with **bold** and `code`. " + "words " * 90 for number in range(30))
CODE = (
    "Look:\n\n```python\n" + "\n".join(f"row_{number} = {number}" for number in range(900)) + "\n```\n\nDone."
)
TEXTS = ["hello", "**bold**", PROSE, CODE, "x" * 20_000, "😀" * 5_000, "a\n" * 2_500, "- point\n" * 700]


class Page:
    """A terminal that only collects what is printed."""

    streaming: Literal["none", "draft"] = "none"

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def say(self, text: str) -> None:
        self.lines.append(text)

    async def grow(self, text: str) -> None: ...

    async def note(self, text: str) -> None: ...

    async def read(self) -> str | None:
        return None

    async def stop_asked(self) -> None:
        await asyncio.Event().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A channel, a place where somebody is, and what that person sees there. `lose` drops the response to
    the next call, `refuse` lets the platform refuse it for good; None where that cannot happen."""

    adapter: ChannelAdapter
    chat: str
    seen: Callable[[], list[str]]
    lose: Callable[[], Any] | None = None
    refuse: Callable[[], Any] | None = None

    @property
    def place(self) -> Place:
        return Place(account_id=uuid4(), channel=self.adapter.name, chat=self.chat)

    def message(self, text: str, key: str = "") -> OutboundMessage:
        return OutboundMessage(
            place=self.place, text=text, key=key or uuid4().hex, asked_at=datetime.now(UTC)
        )


async def open_telegram(stack: AsyncExitStack) -> Bench:
    sim = await stack.enter_async_context(TelegramSimulator())
    channel = TelegramChannel("4242:contract", sim.url, poll_seconds=1, answer_seconds=5)
    stack.push_async_callback(channel.close)
    await channel.connect()
    sim.say("ann", "ann", "hello bot")
    return Bench(
        adapter=channel,
        chat=str(sim.chat_id("ann")),
        seen=lambda: [seen.text for seen in sim.seen("ann") if seen.by_bot],
        lose=lambda: sim.fault("accept_then_drop"),
        refuse=lambda: sim.fault("server_error", status=400),
    )


async def open_discord(stack: AsyncExitStack) -> Bench:
    sim = await stack.enter_async_context(DiscordSimulator())
    channel = DiscordChannel("a.contract.token", sim.api_url, sim.gateway_url)
    stack.push_async_callback(channel.close)
    await channel.connect()
    sim.say("ann", "ann", "hello bot")
    return Bench(
        adapter=channel,
        chat=sim.chat_id("ann"),
        # Discord shows what is written; the signs of bold are no text.
        seen=lambda: [seen.text.replace("**", "") for seen in sim.seen("ann") if seen.by_bot],
        lose=lambda: sim.fault("accept_then_drop"),
        refuse=lambda: sim.fault("server_error", status=400),
    )


async def open_console(stack: AsyncExitStack) -> Bench:
    page = Page()
    return Bench(adapter=ConsoleChannel("ann", page), chat="ann", seen=lambda: page.lines)


async def open_slack(stack: AsyncExitStack) -> Bench:
    sim = await stack.enter_async_context(SlackSimulator())
    channel = SlackChannel("xoxb-contract", "xapp-contract", "", sim.api_url, answer_seconds=5)
    stack.push_async_callback(channel.close)
    await channel.connect()
    sim.say("ann", "ann", "hello bot")
    return Bench(
        adapter=channel,
        chat=sim.chat_id("ann"),
        seen=lambda: [seen.text for seen in sim.seen("ann") if seen.by_bot],
        lose=lambda: sim.fault("accept_then_drop"),
        refuse=lambda: sim.fault("msg_too_long"),
    )


OPEN: dict[str, Callable[[AsyncExitStack], Awaitable[Bench]]] = {
    "discord": open_discord,
    "telegram": open_telegram,
    "slack": open_slack,
    "console": open_console,
}


@pytest.fixture(params=list(OPEN))
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        yield await OPEN[request.param](stack)


def bare(text: str) -> str:
    """A text without markup and blanks, which a cut may move."""
    return "".join(sign for sign in text.replace("```python", "") if sign not in " \n`*-•")


async def test_it_says_who_it_is_and_stays_that(bench: Bench) -> None:
    first, second = await bench.adapter.connect(), await bench.adapter.connect()
    assert first == second
    assert first.name
    assert first.handle
    assert bench.adapter.name
    assert bench.adapter.traits == bench.adapter.traits
    assert bench.adapter.traits.streaming != "edit" or isinstance(bench.adapter, CanEdit)
    assert bench.adapter.traits.streaming != "draft" or isinstance(bench.adapter, CanDraft)


@pytest.mark.parametrize("text", TEXTS, ids=[text[:8].strip() for text in TEXTS])
async def test_a_cut_loses_nothing_and_every_piece_is_taken(bench: Bench, text: str) -> None:
    pieces = bench.adapter.split(text)
    assert pieces
    assert all(pieces)
    assert bare("".join(pieces)) == bare(text)
    assert bench.adapter.split(text) == pieces
    for piece in pieces:
        assert piece.count("```") % 2 == 0
        await bench.adapter.send(bench.message(piece))
    assert len(bench.seen()) == len(pieces)
    assert bare("".join(bench.seen())) == bare(text)


async def test_an_empty_text_is_still_one_piece(bench: Bench) -> None:
    assert len(bench.adapter.split("")) == 1


async def test_every_message_has_a_receipt_of_its_own(bench: Bench) -> None:
    receipts = [await bench.adapter.send(bench.message(f"message {number}")) for number in range(4)]
    assert len(set(receipts)) == 4
    assert all(isinstance(receipt, str) and receipt for receipt in receipts)
    assert bench.seen() == [f"message {number}" for number in range(4)]


async def test_a_lost_response_is_ambiguous_and_nothing_is_repeated(bench: Bench) -> None:
    if bench.lose is None:
        assert bench.adapter.traits.after_ambiguous == "repeat"
        return
    bench.lose()
    with pytest.raises(ChannelError) as caught:
        await bench.adapter.send(bench.message("once"))
    assert not caught.value.certain
    assert bench.seen() == ["once"]


async def test_where_a_key_may_be_repeated_it_is_shown_once(bench: Bench) -> None:
    if bench.adapter.traits.after_ambiguous != "repeat":
        assert bench.lose is not None
        return
    message = bench.message("once", key="k1")
    assert await bench.adapter.send(message) == await bench.adapter.send(message)
    assert bench.seen() == ["once"]


async def test_an_edit_may_be_repeated(bench: Bench) -> None:
    if not isinstance(bench.adapter, CanEdit):
        assert bench.adapter.traits.streaming != "edit"
        return
    receipt = await bench.adapter.send(bench.message("first"))
    for _ in range(3):
        await bench.adapter.edit(bench.place, receipt, "**second**")
    assert bench.seen() == ["second"]


async def test_a_refusal_is_certain_and_shows_nothing(bench: Bench) -> None:
    if bench.refuse is None:
        assert bench.adapter.name == "console"
        return
    bench.refuse()
    with pytest.raises(Rejected) as caught:
        await bench.adapter.send(bench.message("never"))
    assert caught.value.certain
    assert bench.seen() == []


async def test_running_ends_when_it_is_cancelled(bench: Bench) -> None:
    async def accept(messages: Any) -> None: ...

    if isinstance(bench.adapter, ConsoleChannel):
        bench.adapter.attach(lambda account: asyncio.Event().wait())  # type: ignore[arg-type, return-value]
    identity = await bench.adapter.connect()
    account = Account(id=uuid4(), tenant_id=uuid4(), channel=bench.adapter.name, name=identity.name)
    running = asyncio.create_task(bench.adapter.run(account, accept))
    done, _ = await asyncio.wait({running}, timeout=0.2)
    assert not done
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
