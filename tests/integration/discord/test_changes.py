"""What becomes of a message after it was sent: edits and deletions, one or many."""

from bots.discord.adapter import DiscordChannel
from bots.simulators.discord import DiscordSimulator
from core.messages import OutboundMessage
from tests.integration.discord.running import running
from tests.integration.telegram.inbox import Inbox


async def test_edits_and_deletions_have_the_key_of_the_message(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        ids = [sim.say("ann", "ann", f"question {number}") for number in range(4)]
        sim.edit("ann", ids[0], "another question")
        sim.delete("ann", ids[1])
        sim.purge("ann", ids[2:])
        await inbox.until(lambda box: len(box.committed) == 8)
    changes = [(message.change, message.dedupe_key) for message in inbox.committed[4:]]
    assert changes == [
        ("edited", f"m:{ids[0]}"),
        ("deleted", f"m:{ids[1]}"),
        ("deleted", f"m:{ids[2]}"),
        ("deleted", f"m:{ids[3]}"),
    ]
    assert inbox.texts[4] == "another question"
    assert all(message.place.direct for message in inbox.committed)


async def test_what_is_no_change_of_a_question(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        unheard = sim.say("random", "ann", "nobody asked here")
        sim.edit("random", unheard, "nobody asked here either")
        sim.delete("random", unheard)
        question = sim.say("general", "ann", "@parley_bot see https://example.org")
        await inbox.until(lambda box: len(box.committed) == 1)
        answer = await channel.send(OutboundMessage(place=inbox.committed[0].place, text="seen", key="k"))
        await channel.edit(inbox.committed[0].place, answer, "seen it")
        sim.unfurl("general", question)
        sim.say("general", "ann", "@parley_bot next")
        await inbox.until(lambda box: len(box.committed) == 2)
    assert [(message.text, message.change) for message in inbox.committed] == [
        ("see https://example.org", None),
        ("next", None),
    ]


async def test_an_edit_follows_its_message_out_of_a_history(
    channel: DiscordChannel, sim: DiscordSimulator, inbox: Inbox
) -> None:
    async with running(channel, sim, inbox):
        sim.say("ann", "ann", "one")
        await inbox.until(lambda box: len(box.committed) == 1)
        sim.fault("lost_session", method="MESSAGE_CREATE")
        sim.say("ann", "ann", "two")
        sim.fault("slow", method="get_channel_messages", seconds=0.2)
        await sim.wait_for(lambda _: any(call.method == "get_channel_messages" for call in sim.calls))
        id = sim.say("ann", "ann", "three")
        sim.edit("ann", id, "three, changed")
        await inbox.until(lambda box: box.texts[-1] == "three, changed")
    assert list(dict.fromkeys(inbox.texts))[:2] == ["one", "two"]
    assert inbox.committed[-1].change == "edited"
    assert [message.dedupe_key for message in inbox.committed].index(f"m:{id}") < len(inbox.committed) - 1
