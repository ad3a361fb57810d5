"""What the gateway counts of its turns, for those who watch it."""

from tests.integration.turn.orphans import orphan
from tests.integration.turn.talk import Talk


async def test_what_waits_and_what_is_merged_is_measured(talk: Talk) -> None:
    async with talk.fenced():
        for text in ("first", "second", "third"):
            talk.say(text)
        await talk.age(1)
    await talk.settled()
    assert talk.counted("turn_messages_count") == 1
    assert talk.counted("turn_messages_sum") == 3
    assert talk.counted("message_wait_seconds_count") == 1
    assert talk.counted("message_wait_seconds_sum") >= 60
    assert talk.counted("turns_resumed_total", channel="telegram") == 0


async def test_a_turn_that_is_taken_up_is_counted_as_such_and_not_measured_again(talk: Talk) -> None:
    await talk.ask("hello")
    await orphan(talk.database, "open")
    await talk.settled()
    assert talk.counted("turns_resumed_total", channel="telegram") == 1
    assert talk.counted("turn_messages_count") == 1
    assert talk.counted("turns_ended_total", channel="telegram", end="answered") == 2
