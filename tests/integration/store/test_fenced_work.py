"""What a fence holds back: messages are stored, running turns may end, and no work is handed out."""

import asyncio
from datetime import datetime

import pytest
from uuid_utils.compat import uuid7

from core.rows import Closing, Writing
from tests.integration.store.ground import Instance, begin, turn_of, whole_turn
from tests.integration.store.test_fencing import expire
from tests.integration.store.test_leases import heard, listening


async def test_behind_a_fence_messages_are_stored_and_that_is_all(one: Instance, two: Instance) -> None:
    async with listening(two) as bell:
        await one.raise_fence()
        accepted = await one.accept("chat", "hello")
        assert (accepted.fresh, accepted.work) == (True, None)
        assert await one.rows("SELECT lease_owner, wake_at IS NOT NULL FROM conversations") == [(None, True)]
        assert await one.claim() == []
        await one.accept("chat", "/stop", kind="stop")
        assert await bell.stops.get() == accepted.conversation_id  # it came after any call to wake
        assert not bell.woken.is_set()
        await one.lift_fence()
        await two.accept("another", owns=False)
        await heard(bell)
        assert len(await two.claim()) == 2


async def test_who_holds_a_lease_when_a_fence_is_raised_finishes_and_gets_nothing_more(
    one: Instance,
) -> None:
    work = await one.work("chat", "1")
    begun, *rest = whole_turn(work, turn_of(work))
    await one.journal.write(begun)
    await one.raise_fence()
    await one.accept("chat", "2")
    assert await one.leases.renew("one", [work.lease]) == set()
    for writing in rest:
        assert await one.journal.write(writing) is None
    assert await one.rows("SELECT state, outcome FROM inbox ORDER BY seq") == [
        ("done", "answered"),
        ("waiting", None),
    ]
    assert await one.one("SELECT lease_owner IS NULL AND wake_at IS NOT NULL FROM conversations")
    assert await one.claim() == []
    await one.lift_fence("resume")
    (claimed,) = await one.claim()
    assert [each.message.text for each in claimed.waiting] == ["2"]


async def test_looking_again_behind_a_fence_gives_the_lease_back(one: Instance) -> None:
    work = await one.work()
    await one.raise_fence()
    assert await one.journal.write(Writing(lease=work.lease, closing=Closing(turn_id=None))) is None
    assert await one.one("SELECT lease_owner IS NULL AND wake_at IS NOT NULL FROM conversations")


async def test_a_successor_behind_a_fence_waits(one: Instance, two: Instance) -> None:
    work = await one.work("chat", "/new", kind="command")
    await one.accept("chat", "after")
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    await one.raise_fence()
    assert await one.close(work.lease, turn, successor_id=uuid7()) is None
    assert await two.claim() == []
    await one.lift_fence()
    (claimed,) = await two.claim()
    assert [each.message.text for each in claimed.waiting] == ["after"]


async def test_an_orphan_behind_a_fence_stays_where_it_is(one: Instance, two: Instance) -> None:
    await one.work()
    await one.raise_fence()
    await expire(one)
    assert await two.claim() == []
    assert await one.one("SELECT attempts FROM inbox") == 0


async def test_two_fences_are_lifted_one_by_one(one: Instance) -> None:
    await one.accept(owns=False)
    await one.raise_fence()
    await one.raise_fence()
    lift = "UPDATE fences SET lifted_at = now(), lifted_as = 'resume' WHERE id = (SELECT min(id::text)::uuid"
    await one.rows(f"{lift} FROM fences WHERE lifted_at IS NULL)")
    assert await one.claim() == []
    await one.rows(f"{lift} FROM fences WHERE lifted_at IS NULL)")
    assert len(await one.claim()) == 1


@pytest.mark.parametrize("lifted_as", ["uncertain", "resume"])
async def test_what_was_asked_before_a_fence_is_in_doubt(one: Instance, lifted_as: str) -> None:
    assert (await one.work("before")).line.doubt_before is None
    await one.accept("chat", owns=False)
    await one.raise_fence()
    raised: datetime = await one.one("SELECT raised_at FROM fences")
    await one.lift_fence(lifted_as)
    wanted = raised if lifted_as == "uncertain" else None
    (claimed,) = await one.claim()
    assert claimed.line.doubt_before == wanted
    assert (await one.work("after")).line.doubt_before == wanted
    following = await one.journal.write(Writing(lease=claimed.lease, closing=Closing(turn_id=None)))
    assert following is not None
    assert following.line.doubt_before == wanted


async def test_the_newest_fence_counts(one: Instance) -> None:
    for _ in range(2):
        await one.raise_fence()
        await one.lift_fence()
    newest = await one.one("SELECT max(raised_at) FROM fences")
    assert (await one.work()).line.doubt_before == newest


async def test_a_fence_and_arrivals_at_once_leave_nothing_unheard(one: Instance, two: Instance) -> None:
    """Each was taken before the fence, or waits behind it; none is both or neither."""
    found, _ = await asyncio.gather(
        asyncio.gather(*(one.accept(f"chat-{n}") for n in range(60))), two.raise_fence()
    )
    taken = {accepted.conversation_id for accepted in found if accepted.work}
    assert await two.claim() == []
    await two.lift_fence("resume")
    waiting = {work.line.conversation_id for work in await two.claim()}
    assert taken | waiting == {accepted.conversation_id for accepted in found}
    assert taken & waiting == set()
