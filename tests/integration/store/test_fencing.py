"""The fencing token: a write under an old one is told so and changes nothing."""

import asyncio

import pytest
from uuid_utils.compat import uuid7

from core.errors import LeaseLost
from core.rows import Closing, Lease, Mark, Work, Writing
from core.store.records import PostgresRecords
from tests.integration.store.ground import (
    Instance,
    begin,
    call_of,
    part_of,
    said_of,
    settle,
    turn_of,
    whole_turn,
)

TABLES = ("conversations", "inbox", "turns", "outbox", "messages", "model_calls", "usage_hourly")


async def everything(one: Instance) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    return {
        table: [row[0] for row in await one.rows(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in TABLES
    }


async def expire(one: Instance) -> None:
    """Let every lease run out, without waiting."""
    await one.rows("UPDATE conversations SET lease_until = clock_timestamp() - interval '1 second'")


async def taken_over(one: Instance, two: Instance) -> tuple[Work, dict[str, Writing]]:
    """A turn that `one` began and `two` took over; and one write of `one` for each set of rows."""
    work = await one.work()
    turn = turn_of(work)
    call, part = call_of(work, turn), part_of(turn, state="sending")
    await one.journal.write(begin(work, turn, call=call, parts=(part,)))
    await one.accept("chat", "another")
    await expire(one)
    (taken,) = await two.claim()
    lease = work.lease
    return taken, {
        "turn": Writing(lease=lease, turn=turn_of(work, state="composed", turn_id=turn.id)),
        "new turn": Writing(lease=lease, turn=turn_of(work)),
        "takes": Writing(lease=lease, turn=turn, takes=taken.waiting),
        "settlement": Writing(lease=lease, settlement=settle(call)),
        "call": Writing(lease=lease, call=call_of(work, turn, attempt=1)),
        "messages": Writing(lease=lease, messages=(said_of(work, turn, "assistant", "late"),)),
        "parts": Writing(lease=lease, turn=turn, parts=(part_of(turn, 2),)),
        "marks": Writing(lease=lease, marks=(Mark(part_id=part.id, state="sent", receipt="1"),)),
        "closing": Writing(lease=lease, closing=Closing(turn_id=turn.id, end="answered")),
        "release": Writing(lease=lease, closing=Closing(turn_id=None, keep=False)),
        "park": Writing(lease=lease, closing=Closing(turn_id=None, keep=False, wake_in=60)),
        "successor": Writing(
            lease=lease, closing=Closing(turn_id=turn.id, end="answered", successor_id=uuid7())
        ),
        "stops": Writing(lease=lease, closing=Closing(turn_id=turn.id, end="answered", covers_stops=True)),
    }


async def test_every_write_under_an_old_token_is_refused_and_changes_nothing(
    one: Instance, two: Instance
) -> None:
    taken, late = await taken_over(one, two)
    await PostgresRecords(two.engine).set_model(taken.lease, "chosen-model")
    before = await everything(one)
    for name, writing in late.items():
        with pytest.raises(LeaseLost):
            await one.journal.write(writing)
        assert await everything(one) == before, name
    for model in ("late-model", None):
        with pytest.raises(LeaseLost):
            await PostgresRecords(one.engine).set_model(late["turn"].lease, model)
        assert await everything(one) == before


async def test_late_writes_do_not_hinder_those_of_the_holder_in_the_same_batch(one: Instance) -> None:
    """One instance that lost a conversation and took it again, both of its tasks still writing."""
    taken, late = await taken_over(one, one)
    turn = taken.unfinished
    assert turn is not None
    ended = Writing(lease=taken.lease, closing=Closing(turn_id=turn.id, end="answered"))
    late_ones = (one.journal.write(writing) for writing in late.values())
    found = await asyncio.gather(one.journal.write(ended), *late_ones, return_exceptions=True)
    assert {type(each) for each in found[1:]} == {LeaseLost}
    assert isinstance(found[0], Work)
    assert [waiting.message.text for waiting in found[0].waiting] == ["another"]
    assert await one.one("SELECT state || ' ' || outcome FROM turns") == "closed answered"


async def test_a_lease_that_ran_out_is_good_until_somebody_takes_it(one: Instance) -> None:
    work = await one.work()
    await expire(one)
    await one.answer(work)
    assert await one.one("SELECT outcome FROM inbox") == "answered"


async def test_after_release_nothing_can_be_written(one: Instance) -> None:
    work = await one.work()
    assert await one.answer(work) is None
    before = await everything(one)
    with pytest.raises(LeaseLost):
        await one.journal.write(Writing(lease=work.lease, turn=turn_of(work)))
    with pytest.raises(LeaseLost):
        await one.journal.write(Writing(lease=work.lease, closing=Closing(turn_id=None, keep=False)))
    with pytest.raises(LeaseLost):
        await PostgresRecords(one.engine).set_model(work.lease, "late-model")
    assert await everything(one) == before


async def test_a_conversation_that_never_was_is_lost(one: Instance) -> None:
    with pytest.raises(LeaseLost):
        await one.journal.write(
            Writing(lease=Lease(conversation_id=uuid7(), token=1), closing=Closing(turn_id=None))
        )
    with pytest.raises(LeaseLost):
        await PostgresRecords(one.engine).set_model(Lease(conversation_id=uuid7(), token=1), "a-model")


async def test_a_whole_turn_writes_each_table_once(one: Instance) -> None:
    work = await one.work()
    for writing in whole_turn(work, turn_of(work)):
        following = await one.journal.write(writing)
    assert following is None
    counts = {table: len(rows) for table, rows in (await everything(one)).items()}
    assert counts == dict.fromkeys(TABLES, 1) | {"messages": 2}
    assert await one.one("SELECT state || ' ' || outcome FROM inbox") == "done answered"
    assert await one.one("SELECT state || ' ' || receipt || ' ' || attempts FROM outbox") == "sent 77 1"
    assert await one.rows("SELECT calls, prompt_tokens, cost_micro FROM usage_hourly") == [(1, 10, 500)]
    assert await one.one("SELECT lease_owner IS NULL AND wake_at IS NULL FROM conversations")
    newest = "(SELECT id FROM messages ORDER BY timestamp DESC LIMIT 1)"
    assert await one.one(f"SELECT last_message_id = {newest} FROM conversations")


@pytest.mark.parametrize("upto", [1, 2, 3])
async def test_a_write_that_is_repeated_changes_nothing_more(one: Instance, upto: int) -> None:
    """As after an outcome that nobody heard of: each commit of a turn, sent a second time."""
    work = await one.work()
    writings = whole_turn(work, turn_of(work))[:upto]
    for writing in writings:
        await one.journal.write(writing)
    before = await everything(one)
    assert await one.journal.write(writings[-1]) is None
    after = await everything(one)
    if upto < 3:
        after["conversations"] = before["conversations"]
    for table in TABLES:
        assert len(after[table]) == len(before[table])
    assert after["usage_hourly"] == before["usage_hourly"]
    assert after["model_calls"] == before["model_calls"]
    assert await one.one("SELECT coalesce(max(attempts), 1) FROM outbox") == 1


async def test_marking_a_part_as_sending_twice_counts_one_attempt(one: Instance) -> None:
    work = await one.work()
    turn = turn_of(work)
    part = part_of(turn)
    await one.journal.write(begin(work, turn, parts=(part,)))
    sending = Writing(lease=work.lease, marks=(Mark(part_id=part.id, state="sending"),))
    await one.journal.write(sending)
    await one.journal.write(sending)
    assert await one.one("SELECT attempts FROM outbox") == 1
