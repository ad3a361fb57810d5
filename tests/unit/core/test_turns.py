"""What an instance holds: one task each, stops that reach the right turn, a heartbeat for the right lease."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry

from core.errors import StoreUnavailable
from core.observe import Metrics
from core.ports import Journal, Leases, Records
from core.rows import Lease, Work, Writing
from core.tenure import Tenure
from core.turns import Turns
from tests.unit.core.samples import line


class Books:
    """Journal, leases and records as far as the turns use them, all answers set by the test."""

    def __init__(self) -> None:
        self.writings: list[Writing] = []
        self.written = asyncio.Event()
        self.asking = asyncio.Event()
        self.answer, self.beaten = asyncio.Event(), asyncio.Event()
        self.lost: set[UUID] = set()
        self.woken = asyncio.Event()
        self.given_back: list[list[Lease]] = []
        self.gave_back = asyncio.Event()

    async def write(self, writing: Writing) -> None:
        self.writings.append(writing)
        self.written.set()

    async def claim(self, owner: str, accounts: Sequence[UUID], most: int) -> list[Work]:
        return []

    async def give_back(self, owner: str, held: Sequence[Lease]) -> None:
        self.given_back.append(list(held))
        self.gave_back.set()

    async def renew(self, owner: str, held: Sequence[Lease]) -> set[UUID]:
        asked = {lease.conversation_id for lease in held}
        self.asking.set()
        await self.answer.wait()
        self.beaten.set()
        return self.lost & asked

    async def stoppers(self, conversation_id: UUID) -> list[tuple[str, str]]:
        self.asking.set()
        await self.answer.wait()
        return [("telegram", "ann")]


class Claims(Books):
    """What is claimed comes when the test gives it, once."""

    def __init__(self, claimed: Work) -> None:
        super().__init__()
        self.claiming, self.given = asyncio.Event(), asyncio.Event()
        self._claimed = [claimed]

    async def claim(self, owner: str, accounts: Sequence[UUID], most: int) -> list[Work]:
        self.claiming.set()
        await self.given.wait()
        return [self._claimed.pop()] if self._claimed else []


class Unheard(Books):
    """The first claim gets no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.claimed = asyncio.Event()

    async def claim(self, owner: str, accounts: Sequence[UUID], most: int) -> list[Work]:
        if self.claimed.is_set():
            return []
        self.claimed.set()
        raise StoreUnavailable("no answer")


class Takes:
    """Turns that go on until the test lets them end; what each gives next is set beforehand."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[tuple[Work, asyncio.Event]] = asyncio.Queue()
        self.ends: asyncio.Queue[Work | Exception | None] = asyncio.Queue()
        self.cancelled = 0

    async def take(self, work: Work, stopped: asyncio.Event) -> Work | None:
        self.begun.put_nowait((work, stopped))
        try:
            end = await self.ends.get()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(end, Exception):
            raise end
        return end


def work(conversation_id: UUID | None = None, token: int = 1) -> Work:
    conversation_id = conversation_id or uuid4()
    return Work(lease=Lease(conversation_id=conversation_id, token=token), line=line(), waiting=())


@asynccontextmanager
async def holding(
    takes: Takes, books: Books, **more: Any
) -> AsyncIterator[tuple[Turns, asyncio.Queue[UUID]]]:
    stops: asyncio.Queue[UUID] = asyncio.Queue()
    lease_seconds = more.setdefault("lease_seconds", 30.0)
    tenure = Tenure("me", cast(Leases, books), lease_seconds)
    turns = Turns(
        allowed=lambda channel, sender: True,
        instance="me",
        take=takes.take,
        journal=cast(Journal, books),
        tenure=tenure,
        records=cast(Records, books),
        stops=stops,
        metrics=Metrics(CollectorRegistry()),
        **{"accounts": lambda: (), "woken": books.woken, **more},
    )
    running = asyncio.create_task(turns.run())
    try:
        yield turns, stops
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await turns.drain(0)


async def test_a_stop_that_is_looked_up_while_the_turn_ends_stops_nothing_else() -> None:
    takes, books = Takes(), Books()
    first = work()
    async with holding(takes, books) as (turns, stops):
        turns.start(first)
        _, stopped = await takes.begun.get()
        stops.put_nowait(first.lease.conversation_id)
        await books.asking.wait()
        takes.ends.put_nowait(first)
        _, following = await takes.begun.get()
        books.answer.set()
        await stopped.wait()
        assert not following.is_set()


async def test_a_heartbeat_that_lost_an_old_lease_leaves_the_new_one_alone() -> None:
    takes, books = Takes(), Books()
    old = work()
    conversation_id = old.lease.conversation_id
    books.lost = {conversation_id}
    async with holding(takes, books, lease_seconds=0.03) as (turns, _):
        turns.start(old)
        await takes.begun.get()
        await books.asking.wait()
        turns.start(work(conversation_id, token=2))
        takes.ends.put_nowait(None)
        await takes.begun.get()
        books.asking.clear()
        books.answer.set()
        await books.beaten.wait()
        books.lost = set()
        await books.asking.wait()
        assert takes.cancelled == 0


async def test_a_lost_lease_ends_its_turn() -> None:
    takes, books = Takes(), Books()
    one = work()
    books.lost = {one.lease.conversation_id}
    books.answer.set()
    async with holding(takes, books, lease_seconds=0.03) as (turns, _):
        turns.start(one)
        await takes.begun.get()
        await turns.settled(lambda: _equals(takes.cancelled, 1))
        assert turns._metrics.registry.get_sample_value("parley_leases_lost_total") == 1


async def test_room_that_was_offered_is_kept_until_it_is_answered() -> None:
    takes, books = Takes(), Books()
    async with holding(takes, books, concurrency=2) as (turns, _):
        assert [turns.offer() for _ in range(3)] == ["me", "me", None]
        turns.start(work())
        turns.answered()
        await takes.begun.get()
        assert turns.offer() is None
        turns.answered()
        assert turns.offer() == "me"
        turns.take_no_more()
        turns.answered()
        assert turns.offer() is None


async def test_a_new_lease_waits_for_the_last_lines_of_the_former() -> None:
    takes, books = Takes(), Books()
    old = work()
    async with holding(takes, books) as (turns, _):
        turns.start(old)
        await takes.begun.get()
        turns.start(work(old.lease.conversation_id, token=2))
        takes.ends.put_nowait(None)
        begun, _ = await takes.begun.get()
        assert begun.lease.token == 2
        assert takes.cancelled == 0


async def test_the_same_work_twice_is_begun_once() -> None:
    takes, books = Takes(), Books()
    one = work()
    async with holding(takes, books) as (turns, _):
        turns.start(one)
        turns.start(one)
        await takes.begun.get()
        takes.ends.put_nowait(None)
        await turns.settled(lambda: _equals(turns.offer(), "me"))
        assert takes.begun.empty()


async def test_a_turn_that_postgres_did_not_carry_is_put_off_and_given_back() -> None:
    takes, books = Takes(), Books()
    async with holding(takes, books) as (turns, _):
        turns.start(work())
        await takes.begun.get()
        takes.ends.put_nowait(StoreUnavailable("away"))
        await books.written.wait()
        (writing,) = books.writings
        assert writing.closing is not None
        assert (writing.closing.turn_id, writing.closing.keep) == (None, False)
        assert writing.closing.wake_in is not None


async def test_draining_waits_for_what_ends_in_time_and_hands_back_the_rest() -> None:
    takes, books = Takes(), Books()
    quick, slow = work(), work()
    async with holding(takes, books) as (turns, _):
        turns.start(quick)
        await takes.begun.get()
        turns.start(slow)
        await takes.begun.get()
        takes.ends.put_nowait(None)
        await turns.drain(0.05)
        assert turns.offer() is None
        assert takes.cancelled == 1
        assert [writing.lease for writing in books.writings] == [slow.lease]


async def test_what_is_handed_in_while_draining_is_handed_back() -> None:
    takes, books = Takes(), Books()
    async with holding(takes, books) as (turns, _):
        await turns.drain(0)
        late = work()
        turns.start(late)
        await books.written.wait()
        assert [writing.lease for writing in books.writings] == [late.lease]
        assert takes.begun.empty()


async def test_what_is_being_claimed_when_the_end_comes_is_handed_back() -> None:
    takes, claimed = Takes(), work()
    books = Claims(claimed)
    async with holding(takes, books, accounts=lambda: [uuid4()]) as (turns, _):
        books.woken.set()
        await books.claiming.wait()
        draining = asyncio.create_task(turns.drain(5))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not draining.done()
        books.given.set()
        await draining
    assert [writing.lease for writing in books.writings] == [claimed.lease]
    assert takes.begun.empty()


async def test_what_was_claimed_without_an_answer_is_given_back() -> None:
    """The rest of it waits for nobody's lease, and counts as nobody's attempt."""
    takes, books, held = Takes(), Unheard(), work()
    books.answer.set()
    async with holding(takes, books, accounts=lambda: [uuid4()]) as (turns, _):
        turns.start(held)
        await takes.begun.get()
        books.woken.set()
        await books.claimed.wait()
        assert books.given_back == []
        await books.gave_back.wait()
        assert books.given_back[0] == [held.lease]


async def test_where_others_wait_for_room_a_conversation_gives_way_after_a_turn() -> None:
    takes, books, long, other = Takes(), Books(), work(), work()
    async with holding(takes, books, concurrency=1) as (turns, _):
        turns.start(long)
        await takes.begun.get()
        takes.ends.put_nowait(long)
        await takes.begun.get()  # nobody else is there: it goes on
        assert turns.offer() is None
        takes.ends.put_nowait(long)
        await books.written.wait()
        assert [writing.lease for writing in books.writings] == [long.lease]
        turns.start(other)
        assert (await takes.begun.get())[0] is other


async def _equals(one: object, other: object) -> bool:
    return one == other


async def test_nothing_is_taken_from_a_database_that_is_not_trusted() -> None:
    takes, books = Takes(), Books()
    trusted = False
    async with holding(takes, books, trusted=lambda: trusted) as (turns, _):
        assert turns.offer() is None
        trusted = True
        assert turns.offer() == "me"
