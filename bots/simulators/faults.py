"""Faults to come: each is asked for beforehand and strikes the next calls that it fits.

A simulator says which kinds it knows; what a kind does is the simulator's own matter. Chances are drawn
from a seed, so a run that failed can be run again.
"""

from collections.abc import Collection, Mapping
from random import Random

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bots.simulators.refusal import Refusal, refusal_of


class Fault(BaseModel):
    """One fault, as `POST /_sim/fault` takes it; fields that a kind has no use for are ignored by it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    method: str | None = Field(default=None, description="the method it strikes; any, when not given")
    chat: str | None = Field(default=None, description="the chat, by name or id; any, when not given")
    times: int = Field(default=1, ge=1, description="how many calls (for deliveries: updates) it strikes")
    seconds: float = Field(default=1.0, ge=0, description="how long to wait, or to tell the client to wait")
    status: int = Field(default=500, ge=400, le=599, description="HTTP status of kinds that answer with one")
    after: int = Field(default=0, ge=0, description="pieces of a stream that go out before it strikes")
    copies: int = Field(default=1, ge=1, description="how many times more a duplicate is delivered")
    percent: float = Field(default=100.0, gt=0, le=100, description="chance that it strikes a fitting call")
    seed: int = Field(default=0, description="start of the chances and of the shuffling")


class PendingFault:
    """A fault with its remaining strikes and its own run of chances."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.remaining = fault.times
        self.random = Random(fault.seed)

    def fits(self, method: str | None, chats: Collection[str]) -> bool:
        fault = self.fault
        if fault.method is not None and (method is None or fault.method.lower() != method.lower()):
            return False
        return fault.chat is None or fault.chat in chats

    def strikes(self) -> bool:
        return self.fault.percent >= 100 or self.random.random() * 100 < self.fault.percent


class FaultQueue:
    """The faults asked for and not yet used up, oldest first."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        """Take the kinds this simulator knows, each with a line that says what it does."""
        self.kinds = kinds
        self._pending: list[PendingFault] = []

    def add(self, asked: Mapping[str, object]) -> Fault:
        """Queue a fault; raises Refusal when the kind is unknown or a field is wrong."""
        try:
            fault = Fault.model_validate(dict(asked))
        except ValidationError as error:
            raise refusal_of(error) from None
        if fault.kind not in self.kinds:
            raise Refusal(f"kind: {fault.kind!r} is no fault here; allowed: {', '.join(sorted(self.kinds))}")
        self._pending.append(PendingFault(fault))
        return fault

    def take(
        self, kinds: Collection[str], *, method: str | None = None, chats: Collection[str] = ()
    ) -> PendingFault | None:
        """Return the oldest fault of these kinds that strikes now, and use up one of its strikes."""
        for pending in self._pending:
            if pending.fault.kind in kinds and pending.fits(method, chats) and pending.strikes():
                pending.remaining -= 1
                if pending.remaining == 0:
                    self._pending.remove(pending)
                return pending
        return None

    def waiting(self, kind: str) -> bool:
        """Tell whether a fault of this kind has strikes left."""
        return any(pending.fault.kind == kind for pending in self._pending)

    def clear(self) -> None:
        """Forget every fault that has not struck yet."""
        self._pending.clear()

    def __len__(self) -> int:
        return len(self._pending)
