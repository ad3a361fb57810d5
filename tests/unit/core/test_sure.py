"""Nothing is painted once the lease may have run out: by then somebody else may have given the answer.

The loop's clock is turned by hand, so that no test waits for a lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast
from uuid import UUID, uuid4

import pytest
from prometheus_client import CollectorRegistry

from core.errors import LeaseLost, StoreUnavailable
from core.observe import Metrics
from core.ports import ChannelAdapter
from core.preview import Preview
from core.rows import Lease, Work
from core.tenure import Tenure
from tests.unit.core.channels import ScriptedChannel
from tests.unit.core.samples import DIRECT
from tests.unit.core.test_turns import Books, Takes, holding, work

LEASE = 30.0
DROPPED = "parley_previews_dropped_total"


class TurnableLoop(asyncio.SelectorEventLoop):
    """Its time is the machine's, and what a test adds to it."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    async def turn(self, seconds: float) -> None:
        """Let so much time be over, and let everybody notice."""
        self.ahead += seconds
        for _ in range(5):
            await asyncio.sleep(0)


class Pulse(Books):
    """A heartbeat that fails while the database is `away`, and tells when it was tried."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.claimed = asyncio.Event()

    async def claim(self, owner: str, accounts: Sequence[UUID], most: int) -> list[Work]:
        self.claimed.set()
        return []

    async def renew(self, owner: str, held: Sequence[Lease]) -> set[UUID]:
        self.beaten.set()
        if self.away:
            raise StoreUnavailable("away")
        return self.lost & {lease.conversation_id for lease in held}


Story = Callable[[TurnableLoop, Tenure, Pulse, Lease], Awaitable[None]]


def told(story: Story) -> None:
    """With one conversation held since a moment ago."""

    async def tell() -> None:
        loop, takes, pulse, one = asyncio.get_running_loop(), Takes(), Pulse(), work()
        assert isinstance(loop, TurnableLoop)
        async with holding(takes, pulse, lease_seconds=LEASE, accounts=lambda: [uuid4()]) as (turns, _):
            turns.start(one)
            await takes.begun.get()
            await story(loop, turns.tenure, pulse, one.lease)

    with asyncio.Runner(loop_factory=TurnableLoop) as runner:
        runner.run(tell())


def test_a_lease_that_was_just_given_is_ours_and_no_other() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        assert tenure.sure(lease)
        assert not tenure.sure(Lease(conversation_id=lease.conversation_id, token=lease.token + 1))
        assert not tenure.sure(Lease(conversation_id=uuid4(), token=lease.token))

    told(story)


def test_who_stood_still_for_longer_than_the_lease_is_not_sure_until_the_next_heartbeat() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        loop.ahead += LEASE  # as a frozen process finds it: nothing has run meanwhile
        assert not tenure.sure(lease)
        await pulse.beaten.wait()
        await asyncio.sleep(0)
        assert tenure.sure(lease)

    told(story)


def test_heartbeats_that_fail_make_nobody_sure() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        pulse.away = True
        await loop.turn(LEASE / 3)
        assert tenure.sure(lease)
        await loop.turn(LEASE / 3)
        assert not tenure.sure(lease)
        pulse.away = False
        await loop.turn(LEASE / 3)
        assert tenure.sure(lease)

    told(story)


def test_a_lease_that_a_heartbeat_found_lost_is_never_sure_again() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        pulse.lost = {lease.conversation_id}
        await loop.turn(LEASE / 3)
        assert not tenure.sure(lease)

    told(story)


def test_a_proof_renews_what_is_in_doubt_and_nothing_else() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        await tenure.prove(lease)
        assert not pulse.beaten.is_set()
        loop.ahead += LEASE
        await tenure.prove(lease)
        assert pulse.beaten.is_set()
        assert tenure.sure(lease)

    told(story)


def test_what_cannot_be_proved_is_an_error_that_says_why() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        loop.ahead += LEASE
        pulse.away = True
        with pytest.raises(StoreUnavailable):
            await tenure.prove(lease)
        pulse.away, pulse.lost = False, {lease.conversation_id}
        with pytest.raises(LeaseLost):
            await tenure.prove(lease)
        with pytest.raises(LeaseLost):
            await tenure.prove(Lease(conversation_id=lease.conversation_id, token=lease.token + 1))

    told(story)


def test_shortly_before_its_end_a_lease_is_not_relied_on() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        await loop.turn(LEASE / 3)
        pulse.away = True
        loop.ahead += 0.7 * LEASE
        assert tenure.sure(lease)
        loop.ahead += 0.1 * LEASE
        assert not tenure.sure(lease)

    told(story)


def test_after_an_outage_what_is_held_is_kept_before_anything_is_claimed() -> None:
    async def story(loop: TurnableLoop, tenure: Tenure, pulse: Pulse, lease: Lease) -> None:
        loop.ahead += LEASE
        pulse.woken.set()
        await pulse.claimed.wait()
        assert pulse.beaten.is_set()
        assert tenure.sure(lease)

    told(story)


async def test_a_preview_paints_only_while_we_are_sure() -> None:
    channel, registry, sure = ScriptedChannel(edit_seconds=(0.0, 0.0)), CollectorRegistry(), False
    preview = Preview(
        cast(ChannelAdapter, channel),
        DIRECT,
        None,
        "r1",
        Metrics(registry),
        sure=lambda: sure,
    )
    preview.open()
    preview.show("half of")
    while not registry.get_sample_value(DROPPED, {"channel": DIRECT.channel}):  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert channel.calls == []
    sure = True
    preview.show("half of it")
    while not channel.calls:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert channel.calls == [("edit r1", "half of it")]
    assert await preview.close() == "r1"
