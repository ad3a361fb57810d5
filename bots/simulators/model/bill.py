"""What the model's owner would charge for: one line a call, to be held against the gateway's own ledger."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["running", "done", "cut", "cancelled", "refused"]


@dataclass(slots=True, kw_only=True)
class ModelCall:
    """One request: tokens asked, tokens generated (and charged), tokens that went out, and how it ended.

    `cut` ended on our side by a fault, `cancelled` because the client went away, `refused` with an error.
    """

    id: str
    model: str
    streamed: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0
    sent_tokens: int = 0
    status: int = 200
    outcome: Outcome = "running"

    def as_usage(self) -> dict[str, Any]:
        """Return the `usage` object of a reply."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }


class Bill:
    """All calls in the order they came in; refused ones cost nothing."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []

    def open(self, call: ModelCall) -> ModelCall:
        self.calls.append(call)
        return call

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `GET /_sim/bill`."""
        counted = ("prompt_tokens", "completion_tokens", "sent_tokens")
        totals = {name: sum(getattr(call, name) for call in self.calls) for name in counted}
        return {
            "calls": [asdict(call) for call in self.calls],
            "totals": {"calls": len(self.calls), **totals},
        }
