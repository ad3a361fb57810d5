"""A gateway that is open and says nothing, as after a network went away, is noticed and called anew."""

from dataclasses import replace

from bots.simulators.discord import DiscordSimulator
from tests.integration.discord.running import HASTE, channel_at, running
from tests.integration.telegram.inbox import Inbox


async def test_a_frozen_gateway_is_left_and_the_session_resumed(inbox: Inbox) -> None:
    async with DiscordSimulator(heartbeat_seconds=0.2) as sim:
        channel = channel_at(sim, pace=replace(HASTE, silence=0.3))
        async with running(channel, sim, inbox):
            sim.say("ann", "ann", "before")
            await inbox.until(lambda box: len(box.committed) == 1)
            sim.fault("freeze", method="MESSAGE_CREATE")
            sim.say("ann", "ann", "into the void")
            await inbox.until(lambda box: "into the void" in box.texts)
        await channel.close()
        said = [call.method for call in sim.calls if call.method in ("IDENTIFY", "RESUME")]
    assert said == ["IDENTIFY", "RESUME"]
    assert inbox.texts == ["before", "into the void"]
