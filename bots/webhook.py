"""The socket by which a channel may be posted to: what its door takes and what it gives.

A channel's own folder implements it; `bots/web/webhooks.py` mounts it. Who posts is for the channel to find
out: it gets the raw body and the headers as they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

Headers = Sequence[tuple[str, str]]
"""Names and values as they came; one may be there twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the poster gets."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Webhook(Protocol):
    """A path, the longest body that is read, and what is done with a post: `handle` never raises for what
    somebody posts."""

    @property
    def path(self) -> str: ...

    @property
    def most_bytes(self) -> int: ...

    async def handle(self, headers: Headers, body: bytes) -> Answer: ...


@runtime_checkable
class CanReceiveWebhooks(Protocol):
    """The channel may be posted to; None where it is not set up for that."""

    @property
    def webhook(self) -> Webhook | None: ...


def webhooks_of(adapters: Sequence[object]) -> list[Webhook]:
    """The doors of these channels."""
    doors = (adapter.webhook for adapter in adapters if isinstance(adapter, CanReceiveWebhooks))
    return [door for door in doors if door is not None]
