"""What becomes of a message after it was sent: edits are told, deletions never."""

from bots.simulators.telegram import TelegramSimulator
from bots.telegram.adapter import TelegramChannel
from tests.integration.telegram.inbox import Inbox
from tests.integration.telegram.running import running


async def test_an_edit_is_told_with_the_key_of_the_message(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    async with running(channel, inbox):
        number = sim.say("alice", "alice", "first")
        other = sim.say("team", "alice", "nobody meant")
        sim.edit("alice", number, "first, changed")
        sim.edit("team", other, "still nobody meant")
        sim.say("team", "alice", "@parley_bot second")
        await inbox.until(lambda box: len(box.committed) == 3)
    asked = [call.params for call in sim.calls if call.method == "getUpdates"]
    kinds = {str(params["allowed_updates"]).replace('"', "'") for params in asked}
    assert kinds == {"['message', 'edited_message']"}
    first, changed, second = inbox.committed
    assert (first.change, changed.change, second.change) == (None, "edited", None)
    assert (changed.text, changed.dedupe_key) == ("first, changed", first.dedupe_key)


async def test_an_edit_that_names_the_bot_is_no_new_question(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    async with running(channel, inbox):
        number = sim.say("team", "alice", "what now?")
        sim.edit("team", number, "@parley_bot what now?")
        await inbox.until(lambda box: bool(box.committed))
    assert [(message.text, message.change) for message in inbox.committed] == [("what now?", "edited")]


async def test_a_deletion_is_told_to_nobody(
    channel: TelegramChannel, sim: TelegramSimulator, inbox: Inbox
) -> None:
    async with running(channel, inbox):
        sim.delete("alice", sim.say("alice", "alice", "gone"))
        sim.say("alice", "alice", "there")
        await inbox.until(lambda box: len(box.committed) == 2)
    assert [message.change for message in inbox.committed] == [None, None]
    assert [seen.text for seen in sim.seen("alice")] == ["there"]
