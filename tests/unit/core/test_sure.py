"""Nothing is painted once the lease may have run out: by then somebody else may have given the answer.

The loop's clock is turned by hand, so that no test waits for a lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast
from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry

from core.errors import StoreUnavailable
from core.observe import Metrics
from core.ports import ChannelAdapter
from core.preview import Preview
from core.rows import Lease
from core.turns import Turns
from tests.unit.core.channels import ScriptedChannel
from tests.unit.core.samples import DIRECT, part
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

    away = False

    async def renew(self, owner: str, held: Sequence[Lease]) -> set[UUID]:
        self.beaten.set()
        if self.away:
            raise StoreUnavailable("away")
        return self.lost & {lease.conversation_id for lease in held}


Story = Callable[[TurnableLoop, Turns, Pulse, Lease], Awaitable[None]]


def told(story: Story) -> None:
    """With one conversation held since a moment ago."""

    async def tell() -> None:
        loop, takes, pulse, one = asyncio.get_running_loop(), Takes(), Pulse(), work()
        assert isinstance(loop, TurnableLoop)
        async with holding(takes, pulse, lease_seconds=LEASE) as (turns, _):
            turns.start(one)
            await takes.begun.get()
            await story(loop, turns, pulse, one.lease)

    with asyncio.Runner(loop_factory=TurnableLoop) as runner:
        runner.run(tell())


def test_a_lease_that_was_just_given_is_ours_and_no_other() -> None:
    async def story(loop: TurnableLoop, turns: Turns, pulse: Pulse, lease: Lease) -> None:
        assert turns.sure(lease)
        assert not turns.sure(Lease(conversation_id=lease.conversation_id, token=lease.token + 1))
        assert not turns.sure(Lease(conversation_id=uuid4(), token=lease.token))

    told(story)


def test_who_stood_still_for_longer_than_the_lease_is_not_sure_until_the_next_heartbeat() -> None:
    async def story(loop: TurnableLoop, turns: Turns, pulse: Pulse, lease: Lease) -> None:
        loop.ahead += LEASE  # as a frozen process finds it: nothing has run meanwhile
        assert not turns.sure(lease)
        await pulse.beaten.wait()
        await asyncio.sleep(0)
        assert turns.sure(lease)

    told(story)


def test_heartbeats_that_fail_make_nobody_sure() -> None:
    async def story(loop: TurnableLoop, turns: Turns, pulse: Pulse, lease: Lease) -> None:
        pulse.away = True
        await loop.turn(LEASE / 3)
        assert turns.sure(lease)
        await loop.turn(LEASE / 3)
        assert not turns.sure(lease)
        pulse.away = False
        await loop.turn(LEASE / 3)
        assert turns.sure(lease)

    told(story)


def test_a_lease_that_a_heartbeat_found_lost_is_never_sure_again() -> None:
    async def story(loop: TurnableLoop, turns: Turns, pulse: Pulse, lease: Lease) -> None:
        pulse.lost = {lease.conversation_id}
        await loop.turn(LEASE / 3)
        assert not turns.sure(lease)

    told(story)


async def test_a_preview_paints_only_while_we_are_sure() -> None:
    channel, registry, sure = ScriptedChannel(edit_seconds=(0.0, 0.0)), CollectorRegistry(), False
    preview = Preview(
        cast(ChannelAdapter, channel),
        DIRECT,
        None,
        part(1, "…", op="preview", receipt="r1"),
        _forget,
        asyncio.Lock(),
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


async def _forget(*_: object) -> None:
    """No receipt is new here."""
