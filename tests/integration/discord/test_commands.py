"""Slash commands: stored, then acknowledged, and answered whoever died in between."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bots.discord.adapter import DiscordChannel
from bots.simulators.discord import DiscordSimulator
from core.errors import TargetGone
from core.messages import InboundMessage, OutboundMessage
from tests.integration.discord.running import channel_at, running
from tests.integration.telegram.inbox import Inbox


def answer(asked: InboundMessage, text: str, key: str = "k") -> OutboundMessage:
    return OutboundMessage(
        place=asked.place,
        text=text,
        key=key,
        reply_to=asked.message_id,
        asked_at=asked.sent_at,
        extra=asked.extra,
    )


def shown(sim: DiscordSimulator) -> list[tuple[str, bool]]:
    """What the bot shows, and whether that is a "thinking" that waits for an answer."""
    return [(seen.text, bool(seen.extra.get("loading"))) for seen in sim.seen() if seen.by_bot]


def answered(sim: DiscordSimulator, method: str) -> int:
    """Calls that are over, however they ended."""
    return sum(call.method == method and call.status != 0 for call in sim.calls)


async def test_a_command_is_acknowledged_once_it_is_stored(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    acknowledged: list[bool] = []

    async def accept(messages: Sequence[InboundMessage]) -> None:
        acknowledged.append(sim.interactions[-1].answered)
        await inbox(messages)

    async with running(channel, sim, accept):
        called = sim.slash("general", "ann", "ask", {"question": "why?"})
        await sim.wait_for(lambda _: called.answered)
    assert acknowledged == [False]
    (asked,) = inbox.committed
    assert (asked.text, asked.dedupe_key, asked.place.direct) == ("/ask why?", f"i:{called.id}", False)


async def test_a_command_that_is_not_stored_in_time_is_told_so_to_who_asked(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    inbox.away = True
    async with running(channel, sim, inbox):
        called = sim.slash("general", "ann", "help")
        said = await sim.next_answer("general", where=lambda seen: "my memory" in seen.text)
    assert not said.extra["loading"]
    assert called.original is not None
    assert called.original.ephemeral
    assert inbox.committed == []


async def test_what_is_stored_after_all_is_answered_where_that_was_said(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    """Whoever stops waiting for a commit does not stop it."""
    gate = asyncio.Event()
    commits: list[asyncio.Task[None]] = []

    async def commit(messages: Sequence[InboundMessage]) -> None:
        await gate.wait()
        await inbox(messages)

    async def accept(messages: Sequence[InboundMessage]) -> None:
        commits.append(asyncio.create_task(commit(messages)))
        await asyncio.shield(commits[-1])

    async with running(channel, sim, accept):
        sim.slash("ann", "ann", "ask", {"question": "why?"})
        await sim.next_answer("ann", where=lambda seen: "If no answer comes" in seen.text)
        gate.set()
        await inbox.until(lambda box: bool(box.committed))
        await channel.send(answer(inbox.committed[0], "because"))
    assert len(commits) == 1
    assert shown(sim) == [("because", False)]


async def test_an_answer_that_is_ready_before_the_acknowledgement_leaves_no_thinking_behind(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    """Another process may work on what this one only just stored."""

    async def accept(messages: Sequence[InboundMessage]) -> None:
        await inbox(messages)
        await channel.send(answer(messages[0], "because"))

    async with running(channel, sim, accept):
        sim.slash("general", "ann", "ask", {"question": "why?"})
        await sim.wait_for(lambda _: answered(sim, "create_interaction_response") == 2)
    assert shown(sim) == [("because", False)]


@pytest.mark.parametrize("react", [False, True])
async def test_who_answers_acknowledges_where_that_was_not_done(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox, react: bool
) -> None:
    """As after a kill between the two."""
    async with running(channel, sim, inbox):
        sim.fault("reset", method="create_interaction_response")
        called = sim.slash("general", "ann", "ask", {"question": "why?"})
        await sim.wait_for(lambda _: answered(sim, "create_interaction_response") == 1)
    (asked,) = inbox.committed
    if react:
        await channel.react(asked.place, asked.message_id, "⏳")
    else:
        await channel.send(answer(asked, "⏳"))
    assert called.answered
    assert shown(sim) == [("⏳", False)]


async def test_a_command_too_late_to_acknowledge_is_answered_by_a_message(inbox: Inbox) -> None:
    """Which is found again, when Discord has forgotten its nonce."""
    async with DiscordSimulator(nonce_seconds=0) as sim:
        channel = channel_at(sim)

        async def accept(messages: Sequence[InboundMessage]) -> None:
            sim.clock.turn(4)
            await inbox(messages)

        async with running(channel, sim, accept):
            called = sim.slash("general", "ann", "ask", {"question": "why?"})
            await inbox.until(lambda box: bool(box.committed))
            late = answer(inbox.committed[0], "because")
            assert await channel.read_back(late) is None
            receipt = await channel.send(late)
        assert not called.answered
        assert shown(sim) == [("because", False)]
        assert await channel.read_back(late) == receipt + f":{late.reply_to}"
        sim.fault("forbidden", method="create_message")
        with pytest.raises(TargetGone):  # a bot that may only answer commands can say nothing there
            await channel.send(replace(late, key="k2"))
        await channel.close()
