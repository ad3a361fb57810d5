"""When Discord must not be called: while it said so, and before it would shut out this address.

It bans an address for 10,000 calls in ten minutes that it answered with 401, 403 or 429. Several gateways may
share an address, so each stops far below. A token that was refused three times running is not shown again for
a minute. https://docs.discord.com/developers/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans
"""

from collections import deque
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import aiohttp

from bots.discord.library import DiscordServerError, RateLimited
from core.errors import Unauthorized

INVALID = frozenset({401, 403, 429})
REPEATED = frozenset({500, 502, 504, 524})
MOST = 2000
WINDOW = 600.0
REFUSALS = 3
PAUSE = 60.0
OWN_RIGHTS = ("/webhooks/", "/interactions/")
"""Paths that bring a right of their own: a 401 there says nothing of the token."""


class Budget:
    """What one bot's calls were refused, by a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._invalid: deque[float] = deque()
        self._refusals = 0
        self._refused_until = self._all_until = 0.0
        self._until: dict[str, float] = {}

    def check(self, scope: str, *, asks_who_we_are: bool = False) -> None:
        """Raises `RateLimited` with the seconds to wait, or `Unauthorized`; nothing is sent then."""
        now = self._now()
        if now < self._refused_until and not asks_who_we_are:
            raise Unauthorized(f"Discord refused the token {self._refusals} times; it is not shown to it now")
        while self._invalid and self._invalid[0] <= now - WINDOW:
            self._invalid.popleft()
        spent = self._invalid[0] + WINDOW if len(self._invalid) >= MOST else 0.0
        until = max(spent, self._all_until, self._until.get(scope, 0.0))
        if until > now:
            raise RateLimited(until - now)

    def hold(self, scope: str | None, seconds: float) -> None:
        """Discord wants no call for so long, in this scope or, for None, at all."""
        now = self._now()
        if scope is None:
            self._all_until = max(self._all_until, now + seconds)
        else:
            self._until = {each: until for each, until in self._until.items() if until > now}
            self._until[scope] = now + seconds

    def note(self, status: int, headers: Mapping[str, str], path: str) -> None:
        """What Discord answered to a call."""
        told_by_others = headers.get("X-RateLimit-Scope") == "shared"
        if status in INVALID and not told_by_others:
            self._invalid.append(self._now())
        if status == 401 and not any(part in path for part in OWN_RIGHTS):
            self._refusals += 1
            if self._refusals >= REFUSALS:
                self._refused_until = self._now() + PAUSE
        elif status < 300:
            self._refusals, self._refused_until = 0, 0.0
        if status == 429 and headers.get("X-RateLimit-Global"):
            self.hold(None, _seconds(headers.get("Retry-After")))

    def trace(self) -> aiohttp.TraceConfig:
        """Notes every answer, and hands out those that the library would keep to itself and repeat."""

        async def answered(
            session: aiohttp.ClientSession, context: SimpleNamespace, told: aiohttp.TraceRequestEndParams
        ) -> None:
            self.note(told.response.status, told.response.headers, told.url.path)
            if told.response.status in REPEATED:
                told.response.close()
                raise DiscordServerError(told.response, told.response.reason)

        config = aiohttp.TraceConfig()
        config.on_request_end.append(answered)
        return config


def _seconds(told: str | None) -> float:
    try:
        return float(told or 0)
    except ValueError:
        return 0.0
