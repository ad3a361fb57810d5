"""How an attempt to deliver ended, the same for sockets and posts."""

from dataclasses import dataclass
from typing import Any

ACKNOWLEDGE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`reason` is why it failed, in the words of `x-slack-retry-reason`; None when it was acknowledged.

    `reply` is what came with the acknowledgement, `nobody` that no connection was open to try,
    `final` that the app asked for no retry.
    """

    reason: str | None = None
    reply: Any = None
    nobody: bool = False
    final: bool = False
