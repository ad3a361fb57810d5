"""A socket that is open and says nothing, as after a network went away, is noticed and another opened."""

from dataclasses import replace

from bots.simulators.slack import SlackSimulator
from bots.slack.adapter import SlackChannel
from tests.integration.slack.conftest import APP_TOKEN, BOT_TOKEN, HASTE
from tests.integration.slack.inbox import Inbox
from tests.integration.slack.running import running


async def test_a_frozen_socket_is_left_for_another(sim: SlackSimulator, inbox: Inbox) -> None:
    channel = SlackChannel(BOT_TOKEN, APP_TOKEN, "", sim.api_url, patience=replace(HASTE, silence=0.3))
    async with running(channel, inbox):
        await sim.sockets.opened.wait()
        sim.fault("freeze_socket", method="message")
        sim.say("ann", "ann", "into the void")
        await inbox.until(lambda box: bool(box.committed))
        await sim.delivered()
    await channel.close()
    assert inbox.texts == ["into the void"]
    assert sum(call.method == "apps.connections.open" for call in sim.calls) == 2
