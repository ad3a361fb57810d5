"""The money side of a model call: reserve before it, settle after it, in integer micro-units.

A call whose end nobody saw is settled too, by what is known, and marked as estimated.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.messages import Finish, Usage
from core.ports import Prices
from core.rows import CallRow, CallState, Line, OpenCall, Settlement, Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Makes the rows; the journal writes them."""

    prices: Prices

    def reserve(
        self,
        *,
        call_id: UUID,
        turn_id: UUID,
        line: Line,
        asked: Waiting,
        model: str,
        attempt: int,
        prompt_tokens: int,
        answer_tokens: int,
        now: datetime,
    ) -> CallRow:
        """The worst that the call may cost."""
        cost = self.prices.cost(model, Usage(prompt=prompt_tokens, completion=answer_tokens), now)
        return CallRow(
            id=call_id,
            tenant_id=line.tenant_id,
            account_id=line.place.account_id,
            conversation_id=line.conversation_id,
            user_id=asked.user_id,
            turn_id=turn_id,
            channel=line.place.channel,
            attempt=attempt,
            model=model,
            reserved_prompt=prompt_tokens,
            reserved_completion=answer_tokens,
            reserved_micro=cost.micro if cost else None,
            started_at=now,
        )

    def settle(
        self,
        call: CallRow,
        *,
        state: CallState,
        usage: Usage,
        now: datetime,
        first_token_ms: int | None = None,
        finish: Finish | None = None,
        error: str = "",
    ) -> Settlement:
        """What the call did cost, at the price of the model that was asked for."""
        cost = self.prices.cost(call.model, usage, call.started_at)
        return Settlement(
            call_id=call.id,
            state=state,
            usage=usage,
            model=finish.model if finish and finish.model else call.model,
            cost_micro=cost.micro if cost else None,
            price_source=cost.source if cost else None,
            duration_ms=round((now - call.started_at).total_seconds() * 1000),
            first_token_ms=first_token_ms,
            finish_reason=finish.reason if finish else "",
            error=error,
            request_id=finish.request_id if finish else "",
        )

    def abandon(self, call: OpenCall, now: datetime) -> Settlement:
        """A call whose holder died: the prompt was sent, how much was answered nobody knows."""
        usage = Usage(prompt=call.reserved_prompt, estimated=True)
        cost = self.prices.cost(call.model, usage, now)
        return Settlement(
            call_id=call.id,
            state="interrupted",
            usage=usage,
            model=call.model,
            cost_micro=cost.micro if cost else None,
            price_source=cost.source if cost else None,
            duration_ms=0,
            error="the instance that made this call ended before it did",
        )
