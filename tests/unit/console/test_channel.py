"""The channel between an engine and a person who is played by a list: order, once, stop, leave, failures."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import pytest

from bots.console.channel import ConsoleChannel
from core.errors import NotSent, RowRefused, StoreUnavailable, Undeliverable
from core.messages import UNTOLD, InboundMessage, OutboundMessage, Place, Sender
from core.ports import CanDraft, ChannelAdapter
from tests.unit.console.echo import ACCOUNT, Echo

PLACE = Place(account_id=ACCOUNT.id, channel="console", chat="ada")
OWED = InboundMessage(
    place=PLACE,
    sender=Sender(id="ada", name="ada"),
    text="old",
    dedupe_key="old",
    message_id="old",
    sent_at=datetime(2026, 11, 21, tzinfo=UTC),
)


class Played:
    """Streams whose person types the given lines and sees everything in one list."""

    streaming: Literal["draft"] = "draft"

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)
        self.seen: list[str] = []
        self.notes: list[str] = []
        self.interrupts: asyncio.Queue[None] = asyncio.Queue()
        self.broken = False

    async def read(self) -> str | None:
        self.seen.append("read")
        return self._lines.pop(0) if self._lines else None

    async def say(self, text: str) -> None:
        if self.broken:
            raise BrokenPipeError(32, "Broken pipe")
        self.seen.append(text)

    async def grow(self, text: str) -> None:
        pass

    async def note(self, text: str) -> None:
        self.notes.append(text)

    async def stop_asked(self) -> None:
        await self.interrupts.get()


def said(text: str, key: str = "k", chat: str = "ada") -> OutboundMessage:
    place = Place(account_id=ACCOUNT.id, channel="console", chat=chat)
    return OutboundMessage(place=place, text=text, key=key)


def opened(streams: Played) -> tuple[ConsoleChannel, Echo]:
    channel = ConsoleChannel("ada", streams, pause=0)
    echo = Echo(channel)
    channel.attach(echo.settled)
    return channel, echo


async def test_it_fits_the_ports() -> None:
    channel: ChannelAdapter = ConsoleChannel("ada", Played())
    assert isinstance(channel, CanDraft)
    assert channel.traits.streaming == "draft"
    assert channel.traits.after_ambiguous == "repeat"
    identity = await channel.connect()
    assert (channel.name, identity.name, identity.handle) == ("console", "local:ada", "parley")
    assert channel.split("hello") == ("hello",)


async def test_what_is_owed_comes_before_the_first_line_and_each_answer_before_the_next() -> None:
    streams = Played("one", "silent", "two")
    channel, echo = opened(streams)
    await echo.accept([OWED])
    async with echo.at_work():
        await channel.run(ACCOUNT, echo.accept)
    assert streams.seen == [
        "you said: old", "read", "you said: one", "read", "read", "you said: two", "read",
    ]  # fmt: skip


async def test_a_line_becomes_a_message_of_its_own() -> None:
    channel, echo = opened(Played("same", "same"))
    async with echo.at_work():
        await channel.run(ACCOUNT, echo.accept)
    first, second = echo.accepted
    assert first.place == PLACE
    assert first.sender.id == first.sender.name == "ada"
    assert first.sent_at == UNTOLD
    assert first.dedupe_key != second.dedupe_key
    assert first.message_id != second.message_id


async def test_the_same_key_is_printed_once() -> None:
    streams = Played()
    channel, _ = opened(streams)
    receipts = await asyncio.gather(*(channel.send(said("hello", "k")) for _ in range(5)))
    assert await channel.send(said("bye", "l")) not in receipts
    assert len(set(receipts)) == 1
    assert streams.seen == ["hello", "bye"]


async def test_another_persons_answer_is_not_shown() -> None:
    streams = Played()
    channel, _ = opened(streams)
    with pytest.raises(NotSent):
        await channel.send(said("secret", chat="bob"))
    assert streams.seen == []


async def test_an_interruption_asks_to_stop_and_the_talk_goes_on() -> None:
    streams = Played("slow story", "next")
    channel, echo = opened(streams)
    async with echo.at_work():
        run = asyncio.create_task(channel.run(ACCOUNT, echo.accept))
        await echo.streaming.wait()
        streams.interrupts.put_nowait(None)
        await run
    assert [message.text for message in echo.accepted] == ["slow story", "/stop", "next"]
    assert streams.seen == ["read", "you said: slow story\n\n(stopped)", "read", "you said: next", "read"]


async def test_a_second_interruption_leaves_an_answer_that_does_not_stop() -> None:
    streams = Played("never read")
    channel, echo = opened(streams)
    await echo.accept([OWED])  # and nobody works
    run = asyncio.create_task(channel.run(ACCOUNT, echo.accept))
    streams.interrupts.put_nowait(None)
    streams.interrupts.put_nowait(None)
    await run
    assert streams.seen == []
    assert streams.notes == ["Left. What is still owed comes at the next start."]


async def test_a_message_that_cannot_be_stored_is_handed_in_again_as_the_same() -> None:
    streams = Played("hello")
    channel, echo = opened(streams)
    tried: list[str] = []

    async def accept(messages: Sequence[InboundMessage]) -> None:
        tried.append(messages[0].dedupe_key)
        if len(tried) < 4:
            raise StoreUnavailable("the database is away")
        await echo.accept(messages)

    async with echo.at_work():
        await channel.run(ACCOUNT, accept)
    assert len(tried) == 4
    assert len(set(tried)) == 1
    assert streams.notes == ["I cannot reach my memory just now. I keep trying."]
    assert "you said: hello" in streams.seen


async def test_a_message_that_is_refused_for_good_is_said_so_and_the_next_is_read() -> None:
    streams = Played("bad", "good")
    channel, echo = opened(streams)

    async def accept(messages: Sequence[InboundMessage]) -> None:
        if messages[0].text == "bad":
            raise RowRefused("too wide")
        await echo.accept(messages)

    async with echo.at_work():
        await channel.run(ACCOUNT, accept)
    assert streams.notes == [RowRefused.public]
    assert "you said: good" in streams.seen


async def test_when_nobody_reads_the_run_ends_and_nothing_more_is_printed() -> None:
    streams = Played("one", "two")
    streams.broken = True
    channel, echo = opened(streams)
    async with echo.at_work():
        await channel.run(ACCOUNT, echo.accept)
    assert isinstance(echo.failures[0], Undeliverable)
    streams.broken = False
    with pytest.raises(Undeliverable):
        await channel.send(said("late", "late"))
    assert not [text for text in streams.seen if text != "read"]


async def test_an_engine_that_fails_is_not_hidden() -> None:
    channel = ConsoleChannel("ada", Played("hello"))

    async def settled(_: object) -> None:
        raise StoreUnavailable("gone")

    channel.attach(settled)
    with pytest.raises(StoreUnavailable):
        await channel.run(ACCOUNT, Echo(channel).accept)


async def test_a_run_without_a_way_to_wait_says_what_is_missing() -> None:
    channel = ConsoleChannel("ada", Played("hello"))
    with pytest.raises(RuntimeError, match="attach"):
        await channel.run(ACCOUNT, Echo(channel).accept)
