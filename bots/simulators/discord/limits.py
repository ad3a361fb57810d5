"""Discord's rate limits: a bucket per route and place, 50 requests a second in all, and the ban behind them.

docs.discord.com/developers/topics/rate-limits. The sizes of buckets are not published and change; these are
what bots commonly see. Every answer carries the bucket's headers; only with `enforced` is anybody refused.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from typing import Any

from bots.simulators.discord.errors import ApiError

GLOBAL = (50, 1.0)
INVALID_WINDOW = 600.0
INVALID_STATUSES = frozenset({401, 403, 429})
GENEROUS = (1000, 1.0)
SIZES = {
    "create_message": (5, 5.0),
    "edit_message": (5, 5.0),
    "delete_message": (5, 1.0),
    "get_channel_messages": (5, 5.0),
    "trigger_typing_indicator": (5, 5.0),
    "create_reaction": (1, 0.25),
    "create_dm": (10, 10.0),
    "create_followup_message": (5, 2.0),
    "edit_webhook_message": (5, 2.0),
}
# Without it clients take a 429 for one of the proxy's, which tells nothing about when to come back.
VIA = {"Via": "1.1 google"}


class RateLimited(ApiError):
    """429 with the seconds to wait (.../topics/rate-limits#exceeding-a-rate-limit)."""

    def __init__(
        self, retry_after: float, scope: str = "user", headers: dict[str, str] | None = None
    ) -> None:
        told = {
            "Retry-After": str(max(1, ceil(retry_after))),
            "X-RateLimit-Scope": scope,
            **VIA,
            **(headers or {}),
        }
        if scope == "global":
            told["X-RateLimit-Global"] = "true"
        super().__init__(429, 0, "You are being rate limited.", headers=told)
        self.retry_after = retry_after
        self.scope = scope

    def as_json(self) -> dict[str, Any]:
        return {
            "message": self.words,
            "retry_after": round(self.retry_after, 3),
            "global": self.scope == "global",
        }


@dataclass(slots=True)
class Bucket:
    """The requests of one window, which begins with the first of them."""

    id: str
    size: int
    seconds: float
    ends: float = 0.0
    used: int = 0

    def count(self, now: float) -> None:
        if now >= self.ends:
            self.ends, self.used = now + self.seconds, 0
        self.used += 1

    def headers(self, now: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.size),
            "X-RateLimit-Remaining": str(max(0, self.size - self.used)),
            "X-RateLimit-Reset": f"{self.ends:.3f}",
            "X-RateLimit-Reset-After": f"{max(0.0, self.ends - now):.3f}",
            "X-RateLimit-Bucket": self.id,
        }


class Limits:
    """What one bot has used up; `sizes` (requests, seconds by route) may be changed by a test."""

    def __init__(self, now: Callable[[], float], *, enforced: bool, ban_after: int) -> None:
        self.enforced = enforced
        self.ban_after = ban_after
        self.sizes = dict(SIZES)
        self._now = now
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._recent: deque[float] = deque()
        self._invalid: deque[float] = deque()

    def admit(self, route: str, place: str, *, counts_globally: bool = True) -> dict[str, str]:
        """Count a request and return its bucket's headers; raises RateLimited when it came too early."""
        now = self._now()
        size, seconds = self.sizes.get(route, GENEROUS) if self.enforced else GENEROUS
        bucket = self._buckets.setdefault((route, place), Bucket(bucket_id(route), size, seconds))
        bucket.count(now)
        if bucket.used > size and self.enforced:
            raise RateLimited(bucket.ends - now, headers=bucket.headers(now))
        if self.enforced and counts_globally:
            self._admit_globally(now)
        return bucket.headers(now)

    def exhausted(self, route: str, seconds: float) -> dict[str, str]:
        """Return the headers of a bucket that has nothing left for so long."""
        now = self._now()
        size, _ = self.sizes.get(route, GENEROUS)
        return Bucket(bucket_id(route), size, seconds, ends=now + seconds, used=size).headers(now)

    def _admit_globally(self, now: float) -> None:
        count, window = GLOBAL
        forget(self._recent, now - window)
        if len(self._recent) >= count:
            raise RateLimited(self._recent[0] + window - now, "global")
        self._recent.append(now)

    def note(self, status: int, scope: str | None) -> None:
        """Count an answer if it is invalid (.../rate-limits#invalid-request-limit-aka-cloudflare-bans)."""
        if status in INVALID_STATUSES and scope != "shared":
            self._invalid.append(self._now())

    @property
    def invalid_requests(self) -> int:
        """The invalid requests of the last ten minutes."""
        forget(self._invalid, self._now() - INVALID_WINDOW)
        return len(self._invalid)

    @property
    def banned(self) -> bool:
        return self.invalid_requests >= self.ban_after


def forget(moments: deque[float], before: float) -> None:
    while moments and moments[0] <= before:
        moments.popleft()


def bucket_id(route: str) -> str:
    return sha256(route.encode()).hexdigest()[:32]


def place_of(path: Iterable[tuple[str, str]]) -> str:
    """Return the top-level resources of a path, for which limits are counted apart."""
    return ":".join(value for name, value in path if name in ("channel", "guild", "token"))
