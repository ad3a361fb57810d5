"""Who holds a conversation: claims, renewals, leases that ran out, parking, and hints that are heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from uuid_utils.compat import uuid7

from core.errors import LeaseLost
from core.rows import Closing, Mark, Writing
from core.store.leases import Bell
from tests.integration.store.ground import Instance, begin, call_of, part_of, settle, turn_of
from tests.integration.store.test_fencing import expire

WAIT = 20.0


async def test_what_nobody_owns_is_claimed_once_oldest_first(one: Instance, two: Instance) -> None:
    for chat in ("first", "second", "third"):
        await one.accept(chat, owns=False)
    found = await asyncio.gather(one.claim(2), two.claim(2))
    assert sorted(work.line.place.chat for works in found for work in works) == ["first", "second", "third"]
    assert await one.claim() == []
    owners = await one.rows("SELECT DISTINCT lease_owner FROM conversations ORDER BY 1")
    assert [row[0] for row in owners] == ["one", "two"]
    assert sorted(await one.leases.owners()) == ["one", "two"]


async def test_the_oldest_comes_first(one: Instance) -> None:
    for chat in ("first", "second", "third"):
        await one.accept(chat, owns=False)
    claimed = [work.line.place.chat for _ in range(3) for work in await one.claim(1)]
    assert claimed == ["first", "second", "third"]


async def test_only_the_accounts_that_are_served_here_are_claimed(one: Instance) -> None:
    await one.accept(owns=False)
    assert await one.leases.claim("one", [uuid7()], 10) == []
    assert await one.leases.claim("one", [], 10) == []
    assert len(await one.claim()) == 1


async def test_a_held_conversation_is_not_claimed_and_its_messages_come_with_the_close(
    one: Instance, two: Instance
) -> None:
    work = await one.work("chat", "1")
    assert (await two.accept("chat", "2")).work is None
    assert await two.claim() == []
    following = await one.answer(work)
    assert following is not None
    assert following.lease == work.lease
    assert [waiting.message.text for waiting in following.waiting] == ["2"]
    assert await one.answer(following) is None


async def test_handing_back_wakes_the_next(one: Instance, two: Instance) -> None:
    work = await one.work()
    assert await one.close(work.lease, keep=False) is None
    (claimed,) = await two.claim()
    assert claimed.lease.token == work.lease.token + 1
    assert claimed.unfinished is None
    assert [waiting.inbox_id for waiting in claimed.waiting] == [work.waiting[0].inbox_id]
    assert claimed.waiting[0].attempts == 0


async def test_a_renewed_lease_does_not_run_out(one: Instance, two: Instance) -> None:
    work = await one.work(lease_seconds=0.0)
    assert await one.leases.renew("one", [work.lease]) == set()
    assert await two.claim() == []
    assert await one.one("SELECT lease_until > clock_timestamp() + interval '20 seconds' FROM conversations")


async def test_renewing_tells_what_is_lost(one: Instance, two: Instance) -> None:
    kept, lost, closed = [await one.work(chat) for chat in ("kept", "lost", "closed")]
    await one.rows("UPDATE conversations SET lease_until = now() - interval '1 s' WHERE chat = 'lost'")
    assert len(await two.claim()) == 1
    await one.answer(closed)
    told = await one.leases.renew("one", [kept.lease, lost.lease, closed.lease])
    assert told == {lost.lease.conversation_id}  # one that was let go by ourselves is not lost
    assert await one.leases.renew("one", []) == set()
    assert await two.leases.renew("two", [kept.lease]) == {kept.lease.conversation_id}


async def test_what_nobody_knows_of_is_given_back_and_is_no_attempt(one: Instance, two: Instance) -> None:
    known, unheard, others = await one.work("known"), await one.work("unheard"), await two.work("others")
    await one.leases.give_back("one", [known.lease])
    (claimed,) = await two.claim()
    assert claimed.lease.conversation_id == unheard.lease.conversation_id
    assert [waiting.attempts for waiting in claimed.waiting] == [0]
    assert await one.leases.renew("one", [known.lease]) == set()
    assert await two.leases.renew("two", [others.lease]) == set()


async def test_an_orphan_comes_with_all_that_was_begun(one: Instance, two: Instance) -> None:
    work = await one.work("chat", "question")
    turn = turn_of(work)
    call, part = call_of(work, turn), part_of(turn, op="preview", body="...", state="sending")
    await one.journal.write(begin(work, turn, call=call, parts=(part,)))
    await one.accept("chat", "later")
    await expire(one)
    (taken,) = await two.claim()
    unfinished = taken.unfinished
    assert unfinished is not None
    assert (unfinished.id, unfinished.state, unfinished.attempts, unfinished.calls) == (turn.id, "open", 1, 1)
    assert unfinished.open_call is not None
    assert unfinished.open_call.id == call.id
    assert [each.message.text for each in unfinished.taken] == ["question"]
    assert unfinished.taken[0].attempts == 1
    assert [(each.id, each.state, each.attempts) for each in unfinished.parts] == [(part.id, "sending", 1)]
    assert unfinished.parts[0].first_sent_at is not None
    assert [each.message.text for each in taken.waiting] == ["later"]
    assert taken.waiting[0].attempts == 0
    settled = settle(call, state="interrupted", cost_micro=None)
    composed = turn_of(taken, state="composed", turn_id=turn.id, end="answered")
    await two.journal.write(Writing(lease=taken.lease, turn=composed, settlement=settled))
    following = await two.close(taken.lease, composed)
    assert following is not None
    assert [each.message.text for each in following.waiting] == ["later"]
    assert await one.rows("SELECT failed_calls, unpriced_calls FROM usage_hourly") == [(1, 1)]


async def test_each_lease_that_runs_out_counts_one_attempt(one: Instance) -> None:
    await one.work()
    for attempts in (1, 2, 3):
        await expire(one)
        (work,) = await one.claim()
        assert work.waiting[0].attempts == attempts


async def test_the_leases_of_the_dead_are_ended(one: Instance, two: Instance) -> None:
    await one.work("one's")
    await two.work("two's")
    await one.leases.end(["one", "nobody"])
    (claimed,) = await two.claim()
    assert claimed.line.place.chat == "one's"


async def test_a_parked_conversation_rests_until_its_time(one: Instance, two: Instance) -> None:
    work = await one.work()
    turn = turn_of(work)
    part = part_of(turn, state="sending")
    await one.journal.write(begin(work, turn, parts=(part,)))
    mark = Mark(part_id=part.id, state="pending", error="not now")
    parking = Closing(turn_id=None, keep=False, wake_in=60.0)
    assert await one.journal.write(Writing(lease=work.lease, marks=(mark,), closing=parking)) is None
    accepted = await two.accept("chat", "are you there?")
    assert accepted.fresh
    assert accepted.work is None
    assert await two.claim() == []
    await one.rows("UPDATE conversations SET wake_at = wake_at - interval '61 seconds'")
    (taken,) = await two.claim()
    assert taken.unfinished is not None
    assert taken.unfinished.parts[0].state == "pending"
    assert taken.unfinished.taken[0].attempts == 0
    assert [each.message.text for each in taken.waiting] == ["are you there?"]


async def test_a_successor_takes_over_what_waits(one: Instance, two: Instance) -> None:
    work = await one.work("chat", "/new", kind="command")
    await one.accept("chat", "after")
    await one.accept("chat", "wards")
    successor = uuid7()
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    assert await one.close(work.lease, turn, successor_id=successor) is None
    accepted = await two.accept("chat", "later")
    assert accepted.conversation_id == successor
    (claimed,) = await two.claim()
    assert claimed.line.conversation_id == successor
    assert [(each.seq, each.message.text) for each in claimed.waiting] == [
        (1, "after"),
        (2, "wards"),
        (3, "later"),
    ]
    assert await one.rows("SELECT is_active FROM conversations ORDER BY id") == [(False,), (True,)]
    assert await two.answer(claimed) is None


async def test_an_arrival_in_the_batch_of_the_close_goes_to_the_successor(one: Instance) -> None:
    work = await one.work("chat", "/new", kind="command")
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    successor = uuid7()
    _, accepted = await asyncio.gather(
        one.close(work.lease, turn, successor_id=successor), one.accept("chat", "hello")
    )
    assert accepted.conversation_id == successor
    assert accepted.work is not None
    assert accepted.work.lease.conversation_id == successor


@pytest.mark.parametrize("covers", [True, False])
async def test_a_stop_is_covered_by_the_turn_it_stopped(one: Instance, covers: bool) -> None:
    work = await one.work("chat", "question")
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    await one.accept("chat", "another")
    await one.accept("chat", "/stop", kind="stop")
    following = await one.close(work.lease, turn, covers_stops=covers)
    assert following is not None
    said = [each.message.text for each in following.waiting]
    assert said == (["another"] if covers else ["/stop", "another"])


async def test_a_release_and_an_arrival_in_one_batch_leave_a_holder(one: Instance) -> None:
    work = await one.work()
    turn = turn_of(work)
    await one.journal.write(begin(work, turn))
    following, accepted = await asyncio.gather(one.close(work.lease, turn), one.accept())
    assert following is None
    assert accepted.work is not None
    assert accepted.work.lease.token == work.lease.token + 1
    with pytest.raises(LeaseLost):
        await one.close(work.lease, keep=False)


@asynccontextmanager
async def listening(instance: Instance) -> AsyncIterator[Bell]:
    bell = Bell()
    task = asyncio.create_task(bell.listen(instance.engine, retry_seconds=0.01))
    await heard(bell)
    try:
        yield bell
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def heard(bell: Bell) -> None:
    await asyncio.wait_for(bell.woken.wait(), WAIT)
    bell.woken.clear()


async def nobody_owns(one: Instance) -> None:
    await one.accept("free", owns=False)


async def handed_back(one: Instance) -> None:
    work = await one.work("handed back")
    await one.close(work.lease, keep=False)


async def successor_left(one: Instance) -> None:
    work = await one.work("anew")
    await one.accept("anew", "waits")
    await one.answer(work, successor_id=uuid7())


@pytest.mark.parametrize("waking", [nobody_owns, handed_back, successor_left])
async def test_a_conversation_that_waits_for_anyone_rings(
    one: Instance, two: Instance, waking: Callable[[Instance], Awaitable[None]]
) -> None:
    async with listening(two) as bell:
        await waking(one)
        await heard(bell)
        assert len(await two.claim()) == 1


async def test_what_is_held_does_not_ring(one: Instance, two: Instance) -> None:
    async with listening(two) as bell:
        work = await one.work()
        await one.accept()
        await one.answer(work)
        accepted = await one.accept("chat", "/stop", kind="stop")
        assert await asyncio.wait_for(bell.stops.get(), WAIT) == accepted.conversation_id
        assert not bell.woken.is_set()


async def test_the_bell_is_heard_again_after_its_connection_was_killed(one: Instance, two: Instance) -> None:
    listener = "FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    async with listening(two) as bell:
        assert await one.one(f"SELECT count(pg_terminate_backend(pid)) {listener}") == 1
        await heard(bell)
        await nobody_owns(one)
        await heard(bell)
        accepted = await one.accept("free", "/stop", kind="stop")
        assert await asyncio.wait_for(bell.stops.get(), WAIT) == accepted.conversation_id


async def test_a_bell_survives_what_it_does_not_know() -> None:
    bell = Bell()
    bell.ring("parley_stop", "no id")
    bell.ring("parley_else", "")
    for _ in range(1001):
        bell.ring("parley_stop", str(uuid7()))
    assert bell.stops.qsize() == 1000
    assert not bell.woken.is_set()


async def test_the_attempt_is_of_what_was_handed_out_first(one: Instance) -> None:
    """A /stop is handed out before older talk: where it kills its holder, it is what must be given up."""
    await one.work()
    await one.accept(said="/stop", kind="stop")
    for attempts in (1, 2):
        await expire(one)
        (work,) = await one.claim()
        assert [(waiting.kind, waiting.attempts) for waiting in work.waiting] == [
            ("stop", attempts),
            ("message", 0),
        ]
