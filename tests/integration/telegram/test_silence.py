"""A long poll that nobody answers, or by a byte now and then, is given up and made anew."""

import pytest

from bots.simulators.telegram import TelegramSimulator
from bots.telegram.adapter import TelegramChannel
from tests.integration.telegram.conftest import HASTE, TOKEN
from tests.integration.telegram.inbox import Inbox
from tests.integration.telegram.running import running


@pytest.mark.parametrize(("kind", "seconds"), [("slow", 60), ("trickle", 0.05)])
async def test_a_silent_poll_is_made_anew(
    sim: TelegramSimulator, inbox: Inbox, kind: str, seconds: float
) -> None:
    channel = TelegramChannel(TOKEN, sim.url, poll_seconds=0, answer_seconds=0.2, patience=HASTE)
    sim.fault(kind, method="getUpdates", seconds=seconds)
    async with running(channel, inbox):
        sim.say("alice", "alice", "anybody there?")
        await inbox.until(lambda box: bool(box.committed))
    await channel.close()
    assert inbox.texts == ["anybody there?"]
    assert [call.method for call in sim.calls].count("getUpdates") >= 2
