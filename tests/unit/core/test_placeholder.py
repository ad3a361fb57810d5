"""A placeholder stands once, as far as that can be known, and only where the conversation is ours."""

import asyncio
from datetime import timedelta
from typing import cast

import pytest

from core.errors import Ambiguous, LeaseLost
from core.messages import OutboundMessage
from core.placeholder import Placeholder
from core.ports import ChannelAdapter
from core.rows import Part
from tests.unit.core.channels import ScriptedChannel
from tests.unit.core.samples import DIRECT, NOON, HandClock, part

LOST = Ambiguous("no answer")


class Place:
    """Where one placeholder is put: the receipts that were recorded, and how often the lease was proved."""

    def __init__(self, channel: ScriptedChannel, *, found: Part | None = None, proofs_left: int = 99) -> None:
        self.channel = channel
        self.recorded: list[str] = []
        self._proofs_left = proofs_left
        self.placeholder = Placeholder(
            cast(ChannelAdapter, channel),
            OutboundMessage(place=DIRECT, text="…", key="k"),
            found or part(1, "…", op="preview"),
            record=self._record,
            prove=self._prove,
            lane=asyncio.Lock(),
            clock=HandClock(),
        )

    async def _record(self, part: Part, receipt: str) -> None:
        self.recorded.append(receipt)

    async def _prove(self) -> None:
        self._proofs_left -= 1
        if self._proofs_left < 0:
            raise LeaseLost("another holds it")


def left_behind(minutes: int) -> Part:
    """One that an earlier holder wrote down so long ago, and may have sent."""
    first = NOON - timedelta(minutes=minutes)
    return part(1, "…", op="preview", state="sending", attempts=1, first_sent_at=first)


async def test_its_receipt_is_recorded() -> None:
    place = Place(ScriptedChannel())
    assert await place.placeholder.place() == "r1"
    assert place.recorded == ["r1"]


@pytest.mark.parametrize("proofs", [0, 1])
async def test_nothing_is_begun_once_somebody_else_may_speak(proofs: int) -> None:
    place = Place(ScriptedChannel(LOST), proofs_left=proofs)
    with pytest.raises(LeaseLost):
        await place.placeholder.place()
    assert len(place.channel.calls) == proofs
    assert place.recorded == []


async def test_each_lost_response_costs_one_and_the_second_ends_it() -> None:
    place = Place(ScriptedChannel(LOST, LOST))
    assert await place.placeholder.place() is None
    assert place.channel.calls == [("send", "…")] * 2


async def test_where_the_platform_knows_the_key_it_is_sent_again() -> None:
    place = Place(ScriptedChannel(after_ambiguous="repeat", key_seconds=120), found=left_behind(minutes=1))
    assert await place.placeholder.place() == "r1"
    assert place.channel.calls == [("send", "…")]


async def test_where_it_has_forgotten_the_key_one_looks_first() -> None:
    channel = ScriptedChannel(after_ambiguous="repeat", key_seconds=120)
    channel.there["…"] = "stands"
    place = Place(channel, found=left_behind(minutes=3))
    assert await place.placeholder.place() == "stands"
    assert channel.calls == [("look", "…")]
    assert place.recorded == ["stands"]


async def test_where_only_looking_helps_one_looks_after_a_lost_response() -> None:
    channel = ScriptedChannel(LOST, after_ambiguous="read_back")
    channel.there["…"] = "stands"
    place = Place(channel)
    assert await place.placeholder.place() == "stands"
    assert channel.calls == [("send", "…"), ("look", "…")]
