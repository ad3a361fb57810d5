"""No wake-up is lost: whatever is accepted while a conversation is being let go is found by somebody.

Two instances accept, close, claim and start anew at random in a few busy conversations. At no moment may
messages wait in a conversation that nobody holds and that no claim can see. `PARLEY_TEST_INTERLEAVINGS`
sets how many acceptances race the closings (10,000 in the full form).
"""

import asyncio
import os
import random

import pytest
from uuid_utils.compat import uuid7

from core.rows import Closing, Work, Writing
from tests.integration.store.ground import Instance, turn_of

MANY = int(os.environ.get("PARLEY_TEST_INTERLEAVINGS", "1500"))
FORGOTTEN = """
    SELECT count(*) FROM conversations c
     WHERE c.lease_owner IS NULL AND c.wake_at IS NULL
       AND EXISTS (SELECT 1 FROM inbox i WHERE i.conversation_id = c.id AND i.state <> 'done')"""


class Race:
    """Random acceptances and closings of one seed."""

    def __init__(self, sides: list[Instance], seed: int, many: int, anew: float = 0.0) -> None:
        self._sides = sides
        self._chance = random.Random(seed)
        self._left = many
        self._anew = anew
        self.accepted = 0
        self.closings = 0

    async def run(self, callers: int) -> None:
        async with asyncio.TaskGroup() as group:
            for side in self._sides:
                group.create_task(self._claim(side))
            for _ in range(callers):
                group.create_task(self._call(self._chance.choice(self._sides)))
            group.create_task(self._look())

    async def _call(self, side: Instance) -> None:
        while self._left > 0:
            self._left -= 1
            owns = self._chance.random() < 0.7
            accepted = await side.accept(self._chance.choice("abcd"), owns=owns)
            assert accepted.fresh
            self.accepted += 1
            if accepted.work is not None:
                await self.carry(side, accepted.work)

    async def carry(self, side: Instance, work: Work | None) -> None:
        """Answer what waits, and keep on while something does."""
        while work is not None:
            for _ in range(self._chance.randint(0, 3)):
                await asyncio.sleep(0)
            self.closings += 1
            work = await side.journal.write(self._answer(work))

    def _answer(self, work: Work) -> Writing:
        turn = turn_of(work)
        anew = uuid7() if self._chance.random() < self._anew else None
        takes = work.waiting[: self._chance.randint(1, 3)]
        closing = Closing(turn_id=turn.id, end="answered", successor_id=anew)
        return Writing(lease=work.lease, turn=turn, takes=takes, closing=closing)

    async def _claim(self, side: Instance) -> None:
        while self._left > 0:
            for work in await side.claim(2):
                await self.carry(side, work)
            await asyncio.sleep(self._chance.random() / 100)

    async def _look(self) -> None:
        while self._left > 0:
            assert await self._sides[0].one(FORGOTTEN) == 0
            await asyncio.sleep(0.02)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("seed", "anew"), [(1, 0.0), (2, 0.2)])
async def test_no_wake_up_is_lost(one: Instance, two: Instance, seed: int, anew: float) -> None:
    race = Race([one, two], seed, MANY // 2, anew)
    await race.run(callers=24)
    assert await one.one(FORGOTTEN) == 0
    while claimed := await two.claim():
        for work in claimed:
            await race.carry(two, work)
    assert race.accepted == MANY // 2
    assert race.closings > race.accepted // 10
    assert await one.rows("SELECT state, outcome, count(*)::int FROM inbox GROUP BY 1, 2") == [
        ("done", "answered", race.accepted)
    ]
    assert await one.one("SELECT count(*) FROM conversations WHERE is_active") == 4
    assert await one.one("SELECT count(*) FROM conversations WHERE lease_owner IS NOT NULL") == 0
