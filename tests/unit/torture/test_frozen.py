"""What counts as in hand while an instance stands still."""

import asyncio

from bots.torture.frozen import Frozen, Hands, joined
from bots.torture.remains import Place

PID = 4242
HERE, THERE = Place("slack", "C1", "1.1"), Place("slack", "C1", "")


class Books:
    """Who answers what, as the test says."""

    def __init__(self, *answers: Hands) -> None:
        self._answers = list(answers)
        self._looks = asyncio.Semaphore(0)

    async def look(self, pid: int) -> Hands:
        assert pid == PID
        self._looks.release()
        return self._answers.pop(0) if self._answers else {}

    async def looked(self, times: int) -> None:
        for _ in range(times):
            await self._looks.acquire()


async def test_whatever_was_seen_in_hand_counts() -> None:
    books = Books({}, {HERE: frozenset({1})}, {HERE: frozenset({2}), THERE: frozenset({3})})
    frozen = Frozen(books.look, lease=0.0)
    async with frozen.watch(PID):
        await books.looked(4)
    assert frozen.hands == [{HERE: frozenset({1, 2}), THERE: frozenset({3})}]


async def test_a_freeze_within_the_lease_counts_for_nothing() -> None:
    books = Books({HERE: frozenset({1})})
    frozen = Frozen(books.look, lease=3600.0)
    async with frozen.watch(PID):
        await books.looked(2)
    assert frozen.hands == []


async def test_a_freeze_that_finds_nothing_in_hand_is_one_all_the_same() -> None:
    books = Books()
    frozen = Frozen(books.look, lease=0.0)
    async with frozen.watch(PID):
        await books.looked(2)
    assert frozen.hands == [{}]


def test_nothing_joined_is_nothing() -> None:
    assert joined() == {}
