"""One attempt after another, until an answer is whole or nobody is left to ask."""

import asyncio
from collections.abc import Sequence

import pytest

from core.errors import ModelCut, ModelRefused, ModelUnavailable
from core.messages import Finish, Usage
from tests.unit.core.models import FOREVER, WHOLE, Asker, ScriptedModel

AWAY = ModelUnavailable("overloaded", retry_after=0.0)
REFUSED = ModelRefused("no such key")
CUT = ModelCut("the stream broke", retry_after=0.0)


def asker(*scripts: Sequence[object]) -> Asker:
    return Asker(ScriptedModel(*scripts))


async def test_a_whole_answer_is_one_call() -> None:
    one = asker(["Hel", "lo", WHOLE])
    answer = await one.ask("a", "b")
    assert (answer.text, answer.error, answer.stopped, answer.cut) == ("Hello", None, False, False)
    assert one.model.asked == ["a"]
    assert one.shown == ["Hel", "Hello"]
    assert answer.settlement.state == "settled"
    assert answer.settlement.usage == WHOLE.usage
    assert answer.settlement.cost_micro == 14


async def test_one_that_is_away_gives_way_to_the_next() -> None:
    one = asker([AWAY], ["fine", WHOLE])
    answer = await one.ask("a", "b")
    assert (answer.text, answer.model, answer.error) == ("fine", "b", None)
    assert one.model.asked == ["a", "b"]
    assert one.owed[0] is None
    assert one.owed[1] is not None
    assert one.owed[1].state == "failed"
    assert one.owed[1].call_id == one.reserved[0].id


async def test_one_alone_is_asked_again_and_no_more_than_three_times() -> None:
    one = asker([AWAY], [AWAY], [AWAY], ["never", WHOLE])
    answer = await one.ask("a")
    assert answer.error is AWAY
    assert answer.text == ""
    assert one.model.asked == ["a"] * 3


async def test_one_that_refused_is_not_asked_again() -> None:
    one = asker([REFUSED], [AWAY], ["fine", WHOLE])
    assert (await one.ask("a", "b")).text == "fine"
    assert one.model.asked == ["a", "b", "b"]


async def test_after_a_refusal_the_very_next_of_the_chain_is_asked() -> None:
    one = asker([REFUSED], ["fine", WHOLE])
    await one.ask("a", "b", "c")
    assert one.model.asked == ["a", "b"]


async def test_when_all_refuse_nobody_is_asked_twice() -> None:
    one = asker([REFUSED], [REFUSED])
    assert (await one.ask("a", "b")).error is REFUSED
    assert one.model.asked == ["a", "b"]


async def test_every_model_of_a_long_chain_has_its_chance() -> None:
    one = asker(*[[AWAY]] * 4, ["fine", WHOLE])
    assert (await one.ask("a", "b", "c", "d", "e")).text == "fine"
    assert one.model.asked == ["a", "b", "c", "d", "e"]


async def test_one_that_wants_a_long_rest_is_left_alone() -> None:
    one = asker([ModelUnavailable("come back later", retry_after=600.0)], [AWAY], ["fine", WHOLE])
    assert (await one.ask("a", "b")).text == "fine"
    assert one.model.asked == ["a", "b", "b"]


async def test_a_rest_beyond_the_turns_time_ends_it() -> None:
    one = asker([ModelUnavailable("busy", retry_after=9.0)], ["late", WHOLE])
    answer = await one.ask("a", seconds=5)
    assert answer.error is not None
    assert one.model.asked == ["a"]


async def test_text_before_a_break_is_kept_when_nothing_better_comes() -> None:
    one = asker(["a long beginning", CUT], ["short", CUT], [AWAY])
    answer = await one.ask("a")
    assert answer.text == "a long beginning"
    assert answer.error is AWAY
    assert [settlement.state for settlement in one.owed[1:] if settlement] == ["interrupted"] * 2
    assert [settlement.usage for settlement in one.owed[1:] if settlement] == [
        Usage(prompt=11, completion=3, estimated=True),
        Usage(prompt=11, completion=1, estimated=True),
    ]


async def test_a_whole_answer_after_a_break_stands_alone() -> None:
    one = asker(["a long beginning", CUT], ["whole", WHOLE])
    answer = await one.ask("a")
    assert (answer.text, answer.error) == ("whole", None)
    assert one.shown == ["a long beginning", "whole"]


async def test_an_answer_that_reached_its_longest_length_says_so() -> None:
    one = asker(["as far as", Finish(usage=Usage(), reason="length")])
    assert (await one.ask("a")).cut


@pytest.mark.parametrize("nothing", [[], [" \n"]])
async def test_an_empty_answer_is_none_and_is_paid_for(nothing: list[object]) -> None:
    one = asker([*nothing, WHOLE], ["words", WHOLE])
    assert (await one.ask("a", "b")).text == "words"
    assert one.owed[1] is not None
    assert one.owed[1].state == "settled"
    assert one.owed[1].usage == WHOLE.usage
    assert "empty" in one.owed[1].error


async def test_an_answer_used_up_by_thinking_is_not_asked_for_again() -> None:
    one = asker([Finish(usage=Usage(completion=50, reasoning=50), reason="length")])
    answer = await one.ask("a")
    assert isinstance(answer.error, ModelRefused)
    assert answer.text == ""


async def test_the_deadline_ends_a_silent_call_and_keeps_its_text() -> None:
    one = asker(["so far", FOREVER])
    answer = await one.ask("a", seconds=0.02)
    assert answer.text == "so far"
    assert answer.error is not None
    assert answer.error.code == "deadline"
    assert answer.settlement.state == "interrupted"
    assert one.model.closed == 1


async def test_a_stop_keeps_what_came() -> None:
    one = asker(["so far", FOREVER])
    asking = asyncio.create_task(one.ask("a", "b"))
    await one.model.silent.wait()
    one.stopped.set()
    answer = await asking
    assert (answer.text, answer.stopped, answer.error) == ("so far", True, None)
    assert answer.settlement.state == "interrupted"
    assert answer.settlement.usage == Usage(prompt=11, completion=2, estimated=True)
    assert one.model.closed == 1


async def test_a_stop_keeps_what_an_earlier_attempt_gave() -> None:
    one = asker(["all that came", CUT], [FOREVER])
    asking = asyncio.create_task(one.ask("a"))
    await one.model.silent.wait()
    one.stopped.set()
    answer = await asking
    assert (answer.text, answer.stopped) == ("all that came", True)


async def test_a_stop_between_two_attempts_reserves_no_other() -> None:
    one = asker(["came", ModelCut("broke", retry_after=10.0)])
    asking = asyncio.create_task(one.ask("a"))
    await one.model.ended.wait()
    one.stopped.set()
    answer = await asking
    assert (answer.text, answer.stopped) == ("came", True)
    assert len(one.reserved) == 1


async def test_a_provider_that_breaks_its_promise_is_one_that_is_away() -> None:
    one = asker([ValueError("bug")], ["fine", WHOLE])
    assert (await one.ask("a", "b")).text == "fine"
    assert one.owed[1] is not None
    assert one.owed[1].state == "failed"


async def test_cancelling_closes_the_stream() -> None:
    one = asker(["so far", FOREVER])
    asking = asyncio.create_task(one.ask("a"))
    await one.model.silent.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert one.model.closed == 1


async def test_what_an_earlier_holder_left_is_settled_with_the_first_attempt() -> None:
    one = asker(["fine", WHOLE])
    left = (await asker(["x", WHOLE]).ask("a")).settlement
    await one.ask("a", owed=left)
    assert one.owed == [left]
