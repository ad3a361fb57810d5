"""What is said instead of an answer: a refusal, an apology, a line that we are unsure; or nothing at all.

Each sets how the turn ends if it arrives. Whether one is due is decided by others: the gate, the rule of what
is overdue, and the engine that counts attempts and catches.
"""

import contextlib
from dataclasses import replace

from core.errors import ChannelError, ParleyError
from core.gate import Refusal
from core.generation import Composition
from core.house import House
from core.overdue import Overdue
from core.ports import CanReact
from core.rows import Settlement
from core.turn import Turn

SLOW_DOWN = "⏳"


class Excuses:
    """Composes them."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def refusal(self, turn: Turn, refusal: Refusal) -> Composition:
        """What was said within the minute covers this one too; a small sign is all it gets."""
        turn.kind, turn.end, turn.error = "refusal", "refused", refusal.reason
        self._house.metrics.rate_limited.labels(kind=refusal.reason).inc()
        if refusal.text is None and isinstance(turn.channel, CanReact):
            with contextlib.suppress(ChannelError):
                await turn.channel.react(turn.line.place, turn.asked.message.message_id, SLOW_DOWN)
        return Composition(text=refusal.text)

    def too_old(self, turn: Turn, due: Overdue) -> Composition:
        turn.kind, turn.end, turn.error = "apology", due.end, due.why
        return Composition(text=due.text, settlement=self._abandon(turn))

    def given_up(self, turn: Turn) -> Composition:
        """An apology for what failed too often; not even that where it failed as often. One chance is few:
        whoever held it died, mostly of something else."""
        self._house.metrics.turns_given_up.labels(channel=turn.line.place.channel).inc()
        apology = self.apology(turn, ParleyError("it failed again and again"))
        if turn.attempts <= 2 * self._house.rules.attempts:
            return apology
        turn.end = "undeliverable"
        return replace(apology, text=None)

    def apology(self, turn: Turn, error: Exception) -> Composition:
        turn.kind, turn.end, turn.error = "apology", "apologised", f"{type(error).__name__}: {error}"
        text = error.public if isinstance(error, ParleyError) else ParleyError.public
        return Composition(text=text, settlement=self._abandon(turn))

    def _abandon(self, turn: Turn) -> Settlement | None:
        """How a call ends that was begun and whose end nobody wrote down."""
        left = turn.open_call
        return self._house.ledger.abandon(left, self._house.clock.now()) if left else None
