"""The small differences between OpenAI-compatible servers in what a request may say, learned from their
refusals.

OpenAI wants the answer's limit as `max_completion_tokens`, and its reasoning models take nothing else; most
compatible servers know only `max_tokens`. Some refuse `stream_options`. One refusal that names such a field
is worth one repeat.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from core.errors import ModelRefused
from core.ports import ModelRequest

Limit = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """`asks_usage`: `stream_options` may be sent. `settled`: the other form of the limit was tried
    already."""

    limit: Limit
    asks_usage: bool = True
    settled: bool = False

    def body(self, request: ModelRequest) -> bytes:
        """The request as JSON, byte for byte what the SDK's `create` would send.
        https://platform.openai.com/docs/api-reference/chat/create"""
        fields: dict[str, Any] = {"model": request.model}
        if request.stream:
            fields["stream"] = True
        fields["messages"] = request.messages
        fields[self.limit] = request.max_tokens
        if request.stream and self.asks_usage:
            fields["stream_options"] = {"include_usage": True}
        try:
            return orjson.dumps(fields)
        except orjson.JSONEncodeError:
            raise ModelRefused(
                "a message holds text that is not valid Unicode", code="invalid_text"
            ) from None

    def after(self, status: int, words: str) -> "Dialect | None":
        """How to say it instead after this refusal; None where it is not about the dialect."""
        if status not in (400, 422):
            return None
        if self.asks_usage and "stream_options" in words:
            return replace(self, asks_usage=False)
        if not self.settled and self.limit in words:
            other: Limit = "max_tokens" if self.limit == "max_completion_tokens" else "max_completion_tokens"
            return replace(self, limit=other, settled=True)
        return None


def first_dialect(base_url: str) -> Dialect:
    """What to try first at this address."""
    at_openai = urlsplit(base_url).hostname == "api.openai.com"
    return Dialect(limit="max_completion_tokens" if at_openai else "max_tokens")
