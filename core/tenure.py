"""How sure an instance is of its leases: by the loop's own clock, which Postgres need not be asked for.

The lease itself is in Postgres and goes by its clock. Here it counts from before it was asked for, so that it
never seems to last longer than it does.
"""

import asyncio
from collections.abc import Iterable, Sequence
from math import inf
from uuid import UUID

from core.errors import LeaseLost, StoreError
from core.ports import Leases
from core.rows import Lease, Work

MARGIN = 1 / 4
"""The part of a lease that must be left for what is begun under it: a call may take that long."""


class Tenure:
    """The leases that this instance knows it has."""

    def __init__(self, instance: str, leases: Leases, lease_seconds: float) -> None:
        self._instance = instance
        self._leases = leases
        self._seconds = lease_seconds
        self._until: dict[Lease, float] = {}
        self._unheard_until = -inf

    def begin(self, lease: Lease) -> None:
        """How long ago Postgres gave it is not known; the first heartbeat comes before this is over."""
        self._until[lease] = self._now() + self._seconds * 2 / 3

    def end(self, lease: Lease) -> None:
        self._until.pop(lease, None)

    def sure(self, lease: Lease) -> bool:
        """Is it certainly ours, and for long enough to make a call? Not when we stood still, or Postgres was
        away, for nearly as long as it lasts: somebody else may speak by now, or before long."""
        return self._now() < self._until.get(lease, -inf) - self._seconds * MARGIN

    async def prove(self, lease: Lease) -> None:
        """Come back when it is ours and lasts. Where that is not sure it is renewed: it may even have run
        out, as long as nobody took it. Raises `LeaseLost` and `StoreUnavailable`."""
        if lease not in self._until:
            raise LeaseLost("the conversation is held anew")
        if not self.sure(lease) and await self.keep([lease]):
            raise LeaseLost("another instance holds the conversation")

    async def keep(self, leases: Iterable[Lease] | None = None) -> list[Lease]:
        """Renew these, or all; gives those that somebody else has taken."""
        asked, until = list(self._until if leases is None else leases), self._now() + self._seconds
        lost = await self._leases.renew(self._instance, asked)
        for lease in asked:
            if lease.conversation_id not in lost and lease in self._until:
                self._until[lease] = until
        return [lease for lease in asked if lease.conversation_id in lost]

    async def keep_doubtful(self) -> list[Lease]:
        """After an outage our own leases may have run out too: they are kept, not claimed anew."""
        doubtful = [lease for lease in self._until if not self.sure(lease)]
        return await self.keep(doubtful) if doubtful else []

    async def claim(self, accounts: Sequence[UUID], most: int) -> list[Work]:
        try:
            return await self._leases.claim(self._instance, accounts, most)
        except StoreError:
            self._unheard_until = self._now() + self._seconds
            raise

    async def give_back(self) -> None:
        """A claim whose answer was lost may be done, or be done yet: nobody knows of what it took."""
        if self._now() < self._unheard_until:
            await self._leases.give_back(self._instance, list(self._until))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
