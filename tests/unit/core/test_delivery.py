"""What each outcome of a send means: what is repeated, what is not, and what the person is told."""

from datetime import timedelta

import pytest

from core.delivery import UNSURE
from core.errors import Ambiguous, LeaseLost, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable
from core.rows import Part
from tests.unit.core.channels import Desk, ScriptedChannel
from tests.unit.core.samples import NOON, part

UNSENT = NotSent("busy", retry_after=0.0)
LOST = Ambiguous("no answer came")


def parts(*texts: str, first: str = "send") -> list[Part]:
    receipt = "r0" if first == "edit" else None
    rows = [part(1, texts[0], op=first, state="sending", receipt=receipt)]
    return rows + [part(number, text) for number, text in enumerate(texts[1:], start=2)]


async def test_one_after_another_each_receipt_committed_before_the_next() -> None:
    desk = Desk(ScriptedChannel())
    done = await desk.deliver(*parts("one", "two", "three"))
    assert desk.channel.calls == [("send", "one"), ("send", "two"), ("send", "three")]
    assert desk.marks == [("one", "sent"), ("two", "sending"), ("two", "sent"), ("three", "sending")]
    assert desk.named(done.marks) == [("three", "sent")]
    assert desk.events == ["commit after 1", "commit after 2"]
    assert (done.end, done.park) == (None, None)
    assert len(set(desk.channel.keys)) == 3


async def test_what_was_not_sent_is_sent_again_under_the_same_key() -> None:
    desk = Desk(ScriptedChannel(UNSENT, UNSENT))
    done = await desk.deliver(*parts("one"))
    assert desk.channel.calls == [("send", "one")] * 3
    assert len(set(desk.channel.keys)) == 1
    assert done.marks[0].state == "sent"


async def test_a_long_wait_parks_at_once() -> None:
    desk = Desk(ScriptedChannel(NotSent("flood", retry_after=77.0)))
    done = await desk.deliver(*parts("one", "two"))
    assert done.park == 77.0
    assert desk.named(done.marks) == [("one", "pending")]
    assert len(desk.channel.calls) == 1


@pytest.mark.parametrize("error", [UNSENT, Unauthorized("bad token")])
async def test_trouble_that_lasts_parks(error: Exception) -> None:
    desk = Desk(ScriptedChannel(*[error] * 10))
    done = await desk.deliver(*parts("one"))
    assert done.park is not None
    assert done.park >= 10
    assert done.marks[0].state == "pending"


@pytest.mark.parametrize("error", [Rejected("too odd"), Undeliverable("blocked")])
async def test_what_can_never_arrive_ends_the_rest(error: Exception) -> None:
    desk = Desk(ScriptedChannel(None, error))
    done = await desk.deliver(*parts("one", "two", "three"))
    assert done.end == "undeliverable"
    assert desk.named(done.marks) == [("two", "dead"), ("three", "dead")]
    assert ("one", "sent") in desk.marks
    assert len(desk.channel.calls) == 2


async def test_an_ambiguous_send_is_confessed_once_and_never_repeated() -> None:
    desk = Desk(ScriptedChannel(None, LOST))
    done = await desk.deliver(*parts("one", "two", "three"))
    assert desk.channel.calls == [("send", "one"), ("send", "two"), ("send", UNSURE)]
    assert desk.marks[-2:] == [("two", "uncertain"), ("three", "dead")]
    assert desk.new[0].op == "notice"
    assert done.end == "uncertain"
    assert desk.named(done.marks) == [(UNSURE, "sent")]


async def test_an_ambiguous_notice_is_the_end_of_it() -> None:
    desk = Desk(ScriptedChannel(LOST, LOST))
    done = await desk.deliver(*parts("one"))
    assert done.end == "uncertain"
    assert desk.named(done.marks) == [(UNSURE, "uncertain")]
    assert len(desk.channel.calls) == 2


async def test_where_the_platform_knows_the_key_an_ambiguous_send_is_repeated() -> None:
    desk = Desk(ScriptedChannel(LOST, after_ambiguous="repeat"))
    done = await desk.deliver(*parts("one"))
    assert len(desk.channel.calls) == 2
    assert len(set(desk.channel.keys)) == 1
    assert (done.marks[0].state, done.end) == ("sent", None)


async def test_where_we_can_look_we_look() -> None:
    desk = Desk(ScriptedChannel(LOST, after_ambiguous="read_back"))
    desk.channel.there["one"] = "r9"
    done = await desk.deliver(*parts("one"))
    assert desk.channel.calls == [("send", "one"), ("look", "one")]
    assert (done.marks[0].receipt, done.end) == ("r9", None)


async def test_what_is_not_there_when_we_look_is_sent_again() -> None:
    desk = Desk(ScriptedChannel(LOST, after_ambiguous="read_back"))
    done = await desk.deliver(*parts("one"))
    assert desk.channel.calls == [("send", "one"), ("look", "one"), ("send", "one")]
    assert done.end is None


async def test_when_we_cannot_even_look_it_is_confessed() -> None:
    desk = Desk(ScriptedChannel(LOST, UNSENT, after_ambiguous="read_back"))
    assert (await desk.deliver(*parts("one"))).end == "uncertain"
    assert desk.channel.calls == [("send", "one"), ("look", "one"), ("send", UNSURE)]


async def test_an_edit_may_always_be_repeated() -> None:
    desk = Desk(ScriptedChannel(LOST, LOST))
    done = await desk.deliver(*parts("one", first="edit"))
    assert desk.channel.calls == [("edit r0", "one")] * 3
    assert (done.marks[0].state, done.end) == ("sent", None)


async def test_a_send_takes_the_place_of_an_edit_whose_message_is_gone() -> None:
    desk = Desk(ScriptedChannel(TargetGone("deleted")))
    done = await desk.deliver(*parts("one", "two", first="edit"))
    assert desk.channel.calls == [("edit r0", "one"), ("send", "one"), ("send", "two")]
    assert desk.marks[0] == ("one", "dead")
    assert (desk.new[0].op, desk.new[0].state, desk.new[0].part) == ("send", "sending", 1)
    assert (done.end, done.park) == (None, None)


async def test_a_send_without_its_target_is_only_rejected() -> None:
    desk = Desk(ScriptedChannel(TargetGone("the quoted message is gone")))
    assert (await desk.deliver(*parts("one"))).end == "undeliverable"


async def test_a_channel_that_breaks_its_promise_leaves_us_unsure() -> None:
    desk = Desk(ScriptedChannel(ValueError("bug")))
    assert (await desk.deliver(*parts("one"))).end == "uncertain"


async def test_a_resumed_part_that_was_under_way_is_in_doubt() -> None:
    desk = Desk(ScriptedChannel())
    done = await desk.deliver(*parts("one", "two"), resumed=True)
    assert desk.channel.calls == [("send", UNSURE)]
    assert desk.marks == [("one", "uncertain"), ("two", "dead")]
    assert done.end == "uncertain"


async def test_a_resumed_part_is_looked_for_where_we_can() -> None:
    desk = Desk(ScriptedChannel(after_ambiguous="read_back"))
    desk.channel.there["one"] = "r9"
    await desk.deliver(*parts("one", "two"), resumed=True)
    assert desk.channel.calls == [("look", "one"), ("send", "two")]


async def test_a_resumed_edit_is_simply_done() -> None:
    desk = Desk(ScriptedChannel())
    done = await desk.deliver(*parts("one", "two", first="edit"), resumed=True)
    assert desk.channel.calls == [("edit r0", "one"), ("send", "two")]
    assert done.end is None


async def test_a_resumed_turn_sends_only_what_is_left() -> None:
    rows = [part(1, "one", state="sent", receipt="r1"), part(2, "two"), part(3, "…", op="preview")]
    desk = Desk(ScriptedChannel())
    await desk.deliver(*rows, resumed=True)
    assert desk.channel.calls == [("send", "two")]


async def test_a_resumed_notice_is_not_said_twice() -> None:
    rows = [part(1, "one", state="uncertain"), part(2, UNSURE, op="notice", state="sending")]
    desk = Desk(ScriptedChannel())
    done = await desk.deliver(*rows, resumed=True)
    assert desk.channel.calls == []
    assert done.end == "uncertain"


async def test_a_turn_that_says_nothing_delivers_nothing() -> None:
    desk = Desk(ScriptedChannel())
    done = await desk.deliver()
    assert (done.marks, done.end, done.park) == ((), None, None)


async def test_a_key_that_the_platform_has_forgotten_is_looked_for_first() -> None:
    desk = Desk(ScriptedChannel(after_ambiguous="repeat", key_seconds=120.0))
    old = part(1, "one", state="sending", first_sent_at=NOON - timedelta(seconds=121))
    desk.channel.there["one"] = "r9"
    done = await desk.deliver(old, resumed=True)
    assert desk.channel.calls == [("look", "one")]
    assert (done.marks[0].receipt, done.end) == ("r9", None)


@pytest.mark.parametrize("state", ["sending", "pending"])
async def test_a_forgotten_key_that_is_not_there_is_sent(state: str) -> None:
    desk = Desk(ScriptedChannel(after_ambiguous="repeat", key_seconds=120.0))
    old = part(1, "one", state=state, first_sent_at=NOON - timedelta(seconds=121))
    await desk.deliver(old, resumed=True)
    assert desk.channel.calls == [("look", "one"), ("send", "one")]


async def test_a_key_that_is_still_known_is_just_repeated() -> None:
    desk = Desk(ScriptedChannel(after_ambiguous="repeat", key_seconds=120.0))
    young = part(1, "one", state="sending", first_sent_at=NOON - timedelta(seconds=60))
    await desk.deliver(young, resumed=True)
    assert desk.channel.calls == [("send", "one")]


async def test_a_forgotten_key_is_not_repeated_while_nobody_can_look() -> None:
    desk = Desk(ScriptedChannel(UNSENT, after_ambiguous="repeat", key_seconds=120.0))
    old = part(1, "one", state="sending", first_sent_at=NOON - timedelta(seconds=121))
    done = await desk.deliver(old, resumed=True)
    assert desk.channel.calls == [("look", "one")]
    assert done.park is not None
    assert done.marks[0].state == "pending"


async def test_a_resumed_notice_is_repeated_where_the_platform_knows_its_key() -> None:
    desk = Desk(ScriptedChannel(after_ambiguous="repeat"))
    rows = [part(1, "one", state="uncertain"), part(2, UNSURE, op="notice", state="sending")]
    done = await desk.deliver(*rows, resumed=True)
    assert desk.channel.calls == [("send", UNSURE)]
    assert (done.marks[0].state, done.end) == ("sent", "uncertain")


async def test_what_nobody_knows_of_is_confessed_and_nothing_of_it_is_sent() -> None:
    rows = [part(1, "one", state="sent", receipt="r1"), part(2, "two", state="sending"), part(3, "three")]
    desk = Desk(ScriptedChannel())
    done = await desk.confess(*rows)
    assert desk.channel.calls == [("send", UNSURE)]
    assert desk.marks == [("two", "uncertain"), ("three", "uncertain")]
    assert (desk.new[0].op, desk.new[0].part) == ("notice", 4)
    assert (desk.named(done.marks), done.end) == ([(UNSURE, "sent")], "uncertain")


async def test_an_edit_that_nobody_knows_of_is_confessed_in_a_message_of_its_own() -> None:
    desk = Desk(ScriptedChannel())
    done = await desk.confess(*parts("one", first="edit"))
    assert desk.channel.calls == [("send", UNSURE)]
    assert done.end == "uncertain"


async def test_nothing_is_confessed_twice() -> None:
    rows = [part(1, "one", state="uncertain"), part(2, UNSURE, op="notice", state="sending")]
    desk = Desk(ScriptedChannel())
    done = await desk.confess(*rows)
    assert desk.channel.calls == []
    assert (desk.named(done.marks), done.end) == ([(UNSURE, "uncertain")], "uncertain")


async def test_what_arrived_whole_is_not_confessed() -> None:
    desk = Desk(ScriptedChannel())
    done = await desk.confess(part(1, "…", op="preview", state="sending"), part(1, "one", state="sent"))
    assert desk.channel.calls == []
    assert (done.marks, done.end) == ((), None)


async def test_what_is_too_old_is_dropped_without_a_word() -> None:
    desk = Desk(ScriptedChannel())
    done = desk.drop(part(1, "one", state="sent"), part(2, "two", state="sending"), part(3, "three"))
    assert desk.channel.calls == []
    assert desk.named(done.marks) == [("two", "dead"), ("three", "dead")]
    assert done.end == "stale"


async def test_the_moments_of_a_delivery_are_reached_in_their_order(reached: list[str]) -> None:
    flood = NotSent("wait", retry_after=0.001)
    await Desk(ScriptedChannel(flood)).deliver(*parts("one", "two", "three"))
    assert reached == ["D1", "D2", "D7", "D2", "D3", "D1", "D2", "D3", "D4", "D1", "D2", "D3"]
    reached.clear()
    await Desk(ScriptedChannel()).deliver(*parts("one", first="edit"))
    assert reached == ["D1", "D2", "D6"]


async def test_the_lease_is_proved_before_each_attempt() -> None:
    desk = Desk(ScriptedChannel(UNSENT))
    await desk.deliver(*parts("one"))
    assert desk.channel.calls == [("send", "one")] * 2
    assert desk.proofs == [0, 1]


@pytest.mark.parametrize("first", ["send", "edit"])
async def test_who_lost_the_lease_while_standing_still_sends_nothing(first: str) -> None:
    desk = Desk(ScriptedChannel(), lost=True)
    with pytest.raises(LeaseLost):
        await desk.deliver(*parts("one", first=first))
    assert desk.channel.calls == []
