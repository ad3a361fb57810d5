"""What becomes of a message after it was sent, and what Slack tells twice under new ids."""

import asyncio

import orjson
import pytest

from bots.simulators.slack import SlackSimulator
from bots.slack.adapter import SlackChannel
from tests.integration.slack.conftest import APP_TOKEN, BOT_TOKEN, HASTE, Desk
from tests.integration.slack.inbox import Inbox
from tests.integration.slack.running import running


async def test_edits_and_deletions_have_the_key_of_the_message(desk: Desk) -> None:
    ts = desk.sim.say("ann", "ann", "first")
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 1)
    desk.sim.unfurl("ann", ts)
    desk.sim.edit("ann", ts, "first, changed")
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 2)
    desk.sim.delete("ann", ts)
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 3)
    await desk.sim.delivered()
    said, edited, deleted = desk.inbox.tries
    assert (said.change, edited.change, deleted.change) == (None, "edited", "deleted")
    assert said.dedupe_key == edited.dedupe_key == deleted.dedupe_key
    assert said.place == edited.place == deleted.place
    assert edited.text == "first, changed"


async def test_an_edit_that_names_the_bot_is_no_new_question(desk: Desk) -> None:
    """Slack sends `app_mention` for it all the same."""
    ts = desk.sim.say("general", "ann", "what now?")
    await desk.sim.delivered()
    desk.sim.edit("general", ts, "@parley what now?")
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 2)
    await desk.sim.delivered()
    assert [attempt.delivery.event_type for attempt in desk.sim.attempts] == [
        "message",
        "message",
        "app_mention",
    ]
    assert {(message.text, message.change) for message in desk.inbox.tries} == {("what now?", "edited")}


async def test_a_question_with_answers_below_leaves_a_tombstone(desk: Desk) -> None:
    ts = desk.sim.say("general", "ann", "what now?", mention=True)
    desk.sim.say("general", "bob", "I wonder too", thread=ts)
    await desk.sim.delivered()
    desk.sim.delete("general", ts)
    await desk.inbox.until(lambda inbox: inbox.tries[-1].change == "deleted")
    await desk.sim.delivered()
    assert desk.inbox.tries[-1].dedupe_key == desk.inbox.tries[0].dedupe_key


@pytest.mark.parametrize("method", ["message", "app_mention"])
async def test_a_mention_counts_once_whichever_event_comes_first(desk: Desk, method: str) -> None:
    desk.sim.fault("reorder", method=method)
    desk.sim.fault("duplicate", method=method, copies=2)
    desk.sim.say("general", "ann", "hello", mention=True)
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 4)
    await desk.sim.delivered()
    first = desk.sim.attempts[0].delivery.event_type
    assert first == ({"message": "app_mention", "app_mention": "message"}[method])
    assert {(message.text, message.change) for message in desk.inbox.tries} == {("hello", None)}
    assert len(desk.inbox.committed) == 1


async def test_two_instances_hear_one_post_and_know_it_by_one_key(sim: SlackSimulator) -> None:
    """Slack hands envelopes to its sockets in turn, so one event comes here and its twin there."""
    channels = [
        SlackChannel(BOT_TOKEN, APP_TOKEN, "", sim.api_url, looks=(0.0, 0.01), patience=HASTE)
        for _ in range(2)
    ]
    boxes = [Inbox(), Inbox()]
    async with running(channels[0], boxes[0]), running(channels[1], boxes[1]):
        async with asyncio.timeout(10):
            while len(sim.sockets) < 2:
                await sim.sockets.opened.wait()
                await asyncio.sleep(0.01)
        for _ in range(2):
            sim.say("general", "ann", "hello", mention=True)
            await sim.delivered()
        for box in boxes:
            await box.until(lambda inbox: len(inbox.tries) == 2)
    for channel in channels:
        await channel.close()
    assert set(boxes[0].committed) == set(boxes[1].committed)


async def test_a_retry_by_post_has_the_key_of_the_first_try(desk: Desk) -> None:
    desk.sim.fault("lose_ack", times=2)
    desk.sim.say("ann", "ann", "once")
    await desk.inbox.until(lambda inbox: len(inbox.tries) == 3)
    await desk.sim.delivered()
    assert len(desk.inbox.committed) == 1
    ids = {orjson.dumps(attempt.delivery.payload["event_id"]) for attempt in desk.sim.attempts}
    assert (len(ids), [attempt.number for attempt in desk.sim.attempts]) == (1, [0, 1, 2])
