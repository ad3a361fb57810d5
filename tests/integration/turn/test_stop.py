"""/stop passes the queue: what has streamed is the answer then, and what waits goes on."""

from tests.integration.turn.talk import Talk

LONG = " ".join(f"word{number}" for number in range(400))


def streaming(talk: Talk) -> None:
    talk.model.answer = lambda messages: LONG if "long" in messages[-1]["content"] else "short answer"
    talk.model.tokens_per_second = 50


async def test_what_has_streamed_becomes_the_final_and_covers_the_stop(talk: Talk) -> None:
    streaming(talk)
    talk.say("long")
    await talk.hear("word3")
    talk.say("/stop")
    await talk.settled()
    (answer,) = talk.answers()
    assert answer.startswith("word0 word1 word2 word3")
    assert answer.endswith("(stopped)")
    assert "word399" not in answer
    assert await talk.outcomes() == ["answered", "answered"]
    assert len(await talk.rows("SELECT 1 FROM turns")) == 1
    (call,) = await talk.rows("SELECT state, estimated, completion_tokens FROM model_calls")
    assert call[:2] == ("interrupted", True)
    assert call[2] > 0
    await talk.model.wait_for(lambda calls: calls[0].outcome == "cancelled")
    assert talk.model.calls[0].sent_tokens < 400


async def test_what_waits_goes_on_after_a_stop(talk: Talk) -> None:
    streaming(talk)
    talk.say("long")
    await talk.hear("word1")
    talk.say("next")
    await talk.accepted()
    talk.say("/stop")
    await talk.settled()
    stopped, following = talk.answers()
    assert stopped.endswith("(stopped)")
    assert following == "short answer"
    assert await talk.outcomes() == ["answered"] * 3


async def test_a_stop_before_anything_streamed_says_one_line(talk: Talk) -> None:
    talk.model.latency = 30
    talk.say("long")
    await talk.model.wait_for(lambda calls: calls)
    talk.say("/stop")
    await talk.settled()
    assert talk.answers() == ["Stopped before there was anything to show."]
    assert await talk.outcomes() == ["answered", "answered"]


async def test_two_stops_are_one(talk: Talk) -> None:
    talk.model.latency = 30
    talk.say("long")
    await talk.model.wait_for(lambda calls: calls)
    talk.say("/stop")
    talk.say("!stop")
    await talk.settled()
    assert talk.answers()[0] == "Stopped before there was anything to show."
    assert await talk.outcomes() == ["answered"] * 3


async def test_a_stop_that_comes_late_stops_nothing_that_follows(talk: Talk) -> None:
    streaming(talk)
    talk.say("short one")
    await talk.hear("short answer")
    talk.say("/stop")
    talk.say("another short one")
    await talk.settled()
    assert not [answer for answer in talk.answers() if answer.endswith("(stopped)")]
    assert talk.answers()[0] == talk.answers()[-1] == "short answer"
    assert await talk.outcomes() == ["answered"] * 3


async def test_what_was_stopped_is_remembered_as_it_stands(talk: Talk) -> None:
    streaming(talk)
    talk.say("long")
    await talk.hear("word3")
    await talk.ask("/stop")
    (answer,) = talk.answers()
    await talk.ask("go on")
    assert talk.asked()[1].startswith("word0 word1")
    assert await talk.ask("/again") == ["short answer"]
    assert answer.endswith("(stopped)")
