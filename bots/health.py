"""What is well and what is not, as a list of checks, each with its mend.

A probe is a callable that looks at one part of the gateway; `examine` asks all of them at once. The same
`Report` is shown by the doctor and by the web server, so no check may carry a secret. Which probes
there are is decided where the gateway is wired; `bots.probes` has the usual ones.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "off", "degraded", "failed"]
GRAVITY: tuple[State, ...] = ("off", "ok", "degraded", "failed")
STARTING = "is starting"
DRAINING = "is stopping"
NEEDED = ("database", "schema")
"""Without these a message cannot be accepted: they decide readiness. All else may be away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part: `detail` says how it is in one line, `mend` what to do about a fault."""

    name: str
    state: State
    detail: str = ""
    mend: str = ""


Probe = Callable[[], Awaitable[Sequence[Check]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All checks, in the order in which they should be read."""

    checks: tuple[Check, ...]

    @property
    def state(self) -> State:
        """The worst of all; parts that are switched off do not count."""
        return max((check.state for check in self.checks), key=GRAVITY.index, default="ok")

    @property
    def ready(self) -> bool:
        """May work be sent here? Every needed part works, no channel still makes its first attempt, and
        nobody asked this instance to stop."""
        well = {check.name for check in self.checks if check.state in ("ok", "degraded")}
        passing = any(check.detail in (STARTING, DRAINING) for check in self.checks)
        return well.issuperset(NEEDED) and not passing

    def as_dict(self) -> dict[str, Any]:
        """{"state", "ready", "checks": [{"name", "state", "detail", "mend"}]}, for JSON."""
        return {
            "state": self.state,
            "ready": self.ready,
            "checks": [asdict(check) for check in self.checks],
        }


async def examine(probes: Mapping[str, Probe], *, within: float = 5.0) -> Report:
    """Ask all probes at once, each for at most `within` seconds.

    A probe that raises or does not come back is itself a failed check under its name; never raises.
    """
    answers = await asyncio.gather(*(_ask(name, probe, within) for name, probe in probes.items()))
    return Report(checks=tuple(check for answer in answers for check in answer))


async def _ask(name: str, probe: Probe, within: float) -> Sequence[Check]:
    try:
        async with asyncio.timeout(within):
            return await probe()
    except TimeoutError:
        detail = f"no answer within {within:g} s"
    except Exception as error:  # its text may hold anything, a secret too
        detail = f"looking at it failed ({type(error).__name__})"
    return [Check(name=name, state="failed", detail=detail, mend="Read the log of the gateway.")]


class Shared:
    """A report for many askers: one examination at a time, and its answer kept for a moment.

    The doors it is shown at are open to everyone; without this each request would cost a query.
    """

    def __init__(self, look: Callable[[], Awaitable[Report]], *, seconds: float = 1.0) -> None:
        self._look = look
        self._seconds = seconds
        self._report: Report | None = None
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def __call__(self) -> Report:
        async with self._lock:
            if self._report is None or time.monotonic() >= self._until:
                self._report = await self._look()
                self._until = time.monotonic() + self._seconds
            return self._report
