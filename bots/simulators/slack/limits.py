"""Slack's rate limits as published (docs.slack.dev/apis/web-api/rate-limits): calls a minute by tier, and a
message a second in a conversation.

The platform lets short bursts through; this one lets through none beyond the numbers, so whoever passes here
is slow enough there.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from math import ceil

from bots.simulators.slack.params import SlackError, rate_limited

TIER_2, TIER_3, TIER_4, SPECIAL = 20, 50, 100, 600
MINUTE = 60.0
POST_SECONDS = 1.0


class RateLimits:
    """The calls of one app in the last minute, by method, and the posts by conversation."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def check(self, method: str, tier: int | None, chat: str) -> SlackError | None:
        """Count a call, or return the refusal when it comes too early."""
        # chat.postMessage has no tier: its limit is a message a second in each conversation.
        if method == "chat.postMessage":
            return self._check(f"{method} {chat}", 1, POST_SECONDS)
        return None if tier is None else self._check(method, tier, MINUTE)

    def _check(self, key: str, most: int, window: float) -> SlackError | None:
        now, calls = self._now(), self._calls[key]
        while calls and calls[0] <= now - window:
            calls.popleft()
        if len(calls) >= most:
            return rate_limited(max(1, ceil(calls[0] + window - now)))
        calls.append(now)
        return None
