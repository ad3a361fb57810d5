"""Stands guard over the database: once before a starting gateway takes any work, then every second.

What this process saw and what Redis was told are the two witnesses that a database may be behind. The rule
and the rows are in `core/store/fence.py`.
"""

from collections.abc import Sequence
from time import monotonic
from uuid import UUID

import structlog

from bots.health import Check, Probe
from core.errors import StoreError
from core.observe import Metrics
from core.state.redis_state import RedisState
from core.store.fence import Fence, PostgresFence

log = structlog.get_logger(__name__)

PATIENCE = 2.0
"""Seconds without an answer after which the database counts as away."""
MEND = "look at `parley fence status`, then `parley fence lift`"


class Guard:
    """`start` before anything is claimed, `watch` each second."""

    def __init__(self, fence: PostgresFence, state: RedisState, metrics: Metrics, *, private: bool) -> None:
        """Private stores lie in one folder and are restored together: there Redis vouches for nothing."""
        self._private = private
        self._fence = fence
        self._state = state
        self._metrics = metrics
        self._remembered: int | None = None
        self._seen: tuple[UUID, int] | None = None
        self._standing: Fence | None = None
        self._trusts = False
        self._asked_at: float | None = None

    def trusted(self) -> bool:
        """Has the database answered since it was away? What comes back may be another one than what went."""
        waits = self._asked_at is not None and monotonic() - self._asked_at > PATIENCE
        return self._trusts and not waits

    def doubt(self) -> None:
        """It was away: nothing is taken before the next beat."""
        self._trusts = False

    def seen(self) -> tuple[UUID, int] | None:
        """The last beat, and whose: nothing is claimed of a database that has not come as far."""
        return self._seen

    async def start(self) -> None:
        """Raises `StoreUnavailable`."""
        self._metrics.fenced.set(0)
        known = await self._fence.deployment()
        self._remembered = await self._state.witness(known) if known and not self._private else None
        await self._beat(starts=True)

    async def watch(self) -> None:
        await self._beat(starts=False)

    async def _beat(self, *, starts: bool) -> None:
        """What others told Redis until now is remembered for the next beat, as the rule wants it."""
        self._asked_at = monotonic()
        try:
            beat = await self._fence.beat(self._remembered, starts=starts)
            self._trusts, self._seen = True, (beat.deployment, beat.number)
        except StoreError:
            self.doubt()
            raise
        finally:
            self._asked_at = None
        told = await self._state.witness(beat.deployment, beat.number)
        self._remembered = max(beat.number, told or 0)
        self._tell(beat.fence)

    def _tell(self, fence: Fence | None) -> None:
        self._metrics.fenced.set(fence is not None)
        if fence is not None and fence != self._standing:
            log.error(
                "fenced: messages are accepted, but nothing is answered",
                reason=fence.reason,
                raised_at=f"{fence.raised_at:%Y-%m-%d %H:%M:%S} UTC",
                mend=MEND,
            )
        elif fence is None and self._standing is not None:
            log.warning("the fence is lifted: work goes on")
        self._standing = fence


def probe(fence: PostgresFence) -> Probe:
    """The check `fence`: one that stands is a fault, though messages are accepted. A database that is away,
    or older than fences, has its own checks."""

    async def look() -> Sequence[Check]:
        try:
            standing = await fence.standing()
        except StoreError:
            return []
        if standing is None:
            return [Check(name="fence", state="ok", detail="none stands")]
        detail = f"nothing is answered since {standing.raised_at:%Y-%m-%d %H:%M:%S} UTC: {standing.reason}"
        return [Check(name="fence", state="failed", detail=detail, mend=f"{MEND[:1].upper()}{MEND[1:]}.")]

    return look
