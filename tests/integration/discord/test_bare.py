"""Servers that say less than Discord does are understood as well."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aiohttp import web

from bots.discord.adapter import DiscordChannel
from core.errors import NotSent, Rejected, TargetGone, Undeliverable
from core.messages import UNTOLD, OutboundMessage, Place
from tests.integration.discord.bare import BareDiscord
from tests.integration.discord.running import HASTE, HURRY, OFFERS, account_of
from tests.integration.tasks import ended
from tests.integration.telegram.inbox import Inbox

PLACE = Place(account_id=UUID(int=1), channel="discord", chat="5")


@pytest.fixture
async def bare() -> AsyncIterator[BareDiscord]:
    async with BareDiscord() as server:
        yield server


@pytest.fixture
async def channel(bare: BareDiscord) -> AsyncIterator[DiscordChannel]:
    channel = DiscordChannel("t", bare.api_url, bare.gateway_url, pace=HASTE, patience=HURRY)
    await channel.connect()
    yield channel
    await channel.close()


def message(text: str) -> OutboundMessage:
    return OutboundMessage(place=PLACE, text=text, key=text, asked_at=datetime.now(UTC))


async def test_messages_come_in_and_a_lost_session_is_made_up(
    bare: BareDiscord, channel: DiscordChannel, inbox: Inbox
) -> None:
    async with ended(channel.run(account_of("99"), inbox)):
        await bare.until(lambda: bare.sockets)
        await bare.say(1, "one")
        await inbox.until(lambda inbox: inbox.texts == ["one"])
        await bare.sockets[-1].close(code=4000)
        await bare.say(2, "two, told to nobody")
        await bare.until(lambda: len(bare.sockets) == 2)
        await inbox.until(lambda inbox: len(inbox.texts) == 2)
        await bare.say(3, "three")
        await inbox.until(lambda inbox: len(inbox.texts) == 3)
    assert inbox.texts == ["one", "two, told to nobody", "three"]
    assert inbox.committed[0].sent_at == UNTOLD  # this one dates nothing


async def test_what_nobody_can_read_in_a_history_holds_up_nothing_else(
    bare: BareDiscord, channel: DiscordChannel, inbox: Inbox
) -> None:
    async with ended(channel.run(account_of("99"), inbox)):
        await bare.until(lambda: bare.sockets)
        await bare.say(1, "one")
        await inbox.until(lambda inbox: inbox.texts == ["one"])
        await bare.sockets[-1].close(code=4000)
        bare.said += [{"id": "2", "channel_id": "5", "author": "nobody"}, {"text": "of no id"}, None]
        await bare.say(3, "three, told to nobody")
        bare.said.append({"id": "4", "author": {"id": "7"}, "content": "where?"})
        await inbox.until(lambda inbox: len(inbox.texts) == 2)
        await bare.until(lambda: len(bare.sockets) == 2)
        await bare.say(5, "five")
        await inbox.until(lambda inbox: len(inbox.texts) == 3)
    assert inbox.texts == ["one", "three, told to nobody", "five"]


async def test_answers_are_read_whatever_their_type(bare: BareDiscord, channel: DiscordChannel) -> None:
    receipt = await channel.send(message("hello"))
    await channel.edit(PLACE, receipt, "hello again")
    assert receipt == "1001"
    assert bare.edits == [("channels/5/messages/1001", "hello again")]


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8"])
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0.2"}])
async def test_a_429_tells_how_long(
    bare: BareDiscord, channel: DiscordChannel, headers: dict[str, str], kind: str
) -> None:
    body = b'{"message": "slow down", "retry_after": 0.2, "global": false}'
    bare.refusals.append(web.Response(body=body, status=429, headers={"Content-Type": kind, **headers}))
    with pytest.raises(NotSent) as caught:
        await channel.send(message("hello"))
    assert caught.value.retry_after == 0.2
    with pytest.raises(NotSent):  # and it is not called meanwhile
        await channel.send(message("hello"))
    assert sum(call.startswith("POST") for call in bare.calls) == 1


async def test_refusals_are_read_whatever_their_type(bare: BareDiscord, channel: DiscordChannel) -> None:
    bare.refusals.append(web.json_response({"code": 10003, "message": "Unknown Channel"}, status=404))
    with pytest.raises(Undeliverable):
        await channel.send(message("hello"))
    bare.refusals.append(web.json_response({"code": 50035, "message": "Invalid Form Body"}, status=400))
    with pytest.raises(Rejected):
        await channel.send(message("hello"))


async def test_a_server_without_commands_is_an_error_for_the_caller_to_log(channel: DiscordChannel) -> None:
    with pytest.raises(TargetGone):
        await channel.offer_commands(OFFERS)
