"""The connection to Discord: discord.py's client, pointed where the settings say.

The library keeps its addresses on classes that all clients share; here each address is put in at the last
moment, in the one place that all calls pass, so that other clients keep theirs. Its buckets stay, but it
neither waits nor repeats: a call that slept in it could go out when somebody else speaks in that place
already. The gateway is in `gateway.py`.
https://docs.discord.com/developers/reference
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp
import orjson
from yarl import URL

from bots.discord.budget import Budget
from bots.discord.errors import translated
from bots.discord.library import (
    MISSING,
    Client,
    HTTPClient,
    HTTPException,
    Intents,
    LoginFailure,
    Ratelimit,
    RateLimited,
    Route,
)
from core.errors import Unauthorized

BAN_SECONDS = 60.0
IMPATIENT = 1e-6
"""Seconds, the longest that the library may wait after a 429; none at all would mean for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds: the longest wait for an answer, the pause before another session is begun, without any sign
    until the gateway counts as dead, and pauses after connections that failed. After `tries` failures in a
    row the gateway counts as away."""

    answer: float = 20.0
    identify: float = 5.0
    silence: float = 60.0
    error: tuple[float, float] = (0.5, 30.0)
    tries: int = 5


class Bucket(Ratelimit):
    """The library's bucket, but one that says how long it is empty instead of waiting. Before anything is
    known of it, whoever comes second waits for the first one's answer."""

    async def acquire(self) -> None:
        if self.is_expired():
            self.reset()  # type: ignore[no-untyped-call]
        if self.remaining <= 0:
            if self.expires is not None:
                raise RateLimited(self.expires - self._loop.time())
            return await super().acquire()
        self._last_request = self._loop.time()
        self.remaining -= 1
        self.outgoing += 1

    async def _refresh(self) -> None:
        """The library holds up whoever took the last one, though its call is done."""
        if self.expires is None:
            await super()._refresh()
        else:
            left = RateLimited(max(0.0, self.expires - self._loop.time()))
            self._wake(len(self._pending_requests), exception=left)


class Http(HTTPClient):
    """The library's HTTP client at another address."""

    def __init__(self, api_url: str, gateway_url: str | None, pace: Pace, inner: HTTPClient) -> None:
        self._budget = Budget(monotonic)
        super().__init__(inner.loop, http_trace=self._budget.trace())
        self.max_ratelimit_timeout = IMPATIENT  # its constructor allows no less than 30 s
        self._api_url = api_url.rstrip("/")
        self._gateway_url = gateway_url
        self._timeout = aiohttp.ClientTimeout(total=pace.answer, connect=5.0)

    async def log_in(self, token: str) -> Any:
        """Our user. The first call opens the connections, as does one after `close`."""
        if self.token is not None:
            return await self.request(Route("GET", "/users/@me"))
        await super().close()
        self.connector = MISSING
        return decoded(await self.static_login(token))

    async def close(self) -> None:
        await super().close()
        self.token = None

    def get_ratelimit(self, key: str) -> Ratelimit:
        if key not in self._buckets:
            self._buckets[key] = Bucket(None)
            self._try_clear_expired_ratelimits()
        return self._buckets[key]

    async def request(self, route: Route, **kwargs: Any) -> Any:
        route.url = self._api_url + route.url.removeprefix(Route.BASE)
        kwargs.setdefault("timeout", self._timeout)
        scope = f"{route.key} {route.major_parameters}"
        self._budget.check(scope, asks_who_we_are=route.path == "/users/@me")
        try:
            return decoded(await super().request(route, **kwargs))
        except RateLimited as error:
            self._budget.hold(scope, error.retry_after)
            raise
        except HTTPException as error:
            if error.status == 429:  # without the header of Discord's proxy the library does not look in it
                body = getattr(error.response, "_body", None) or b""  # read by then, and no longer given out
                seconds, everywhere = flood_wait(error.response.headers, body)
                self._budget.hold(None if everywhere else scope, seconds)
                raise RateLimited(seconds) from error
            raise
        except asyncio.CancelledError:
            self._global_over.set()  # the library forgets to, where a wait of all calls is cancelled
            raise

    async def ws_connect(self, url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        if self._gateway_url is not None:
            url = str(URL(self._gateway_url).update_query(URL(url).query))
        return await super().ws_connect(url, compress=compress)


class Line(Client):
    """One bot's calls; and what the library's gateway socket wants of a client."""

    http: Http

    def __init__(
        self, token: str, api_url: str, gateway_url: str | None, *, message_content: bool, pace: Pace
    ) -> None:
        """`gateway_url` wins over what Discord names. Nothing is sent before `log_in`."""
        intents = Intents(guilds=True, guild_messages=True, dm_messages=True)
        intents.message_content = message_content
        self.gateway_url, self.pace = gateway_url, pace
        self._api_url = api_url
        with without_warnings("discord.client"):  # of voice, which nobody wants here
            super().__init__(intents=intents, max_messages=None, heartbeat_timeout=pace.silence)
        self._token = token

    def _get_state(self, **options: Any) -> Any:
        self.http = Http(self._api_url, self.gateway_url, self.pace, self.http)
        return super()._get_state(**options)

    async def log_in(self) -> dict[str, Any]:
        """Our user. Raises `Unauthorized` or another `ChannelError`."""
        await self._async_setup_hook()
        with translated("GET /users/@me"):
            try:
                user: dict[str, Any] = await self.http.log_in(self._token)
            except LoginFailure as error:
                raise Unauthorized("GET /users/@me: 401: Discord does not know this token") from error
        return user

    @property
    def intents_wanted(self) -> Intents:
        """What the next session asks for; may be changed."""
        return self._connection._intents

    async def close(self) -> None:
        await self.http.close()

    async def call(self, verb: str, path: str, body: Any = None, **parameters: Any) -> Any:
        """One REST call: `path` has names in braces, for which `parameters` stand; those of the query are in
        `query`. Raises a `ChannelError` that says what is certain."""
        query = parameters.pop("query", None)
        given: dict[str, Any] = {} if query is None else {"params": query}
        if body is not None:
            given["json"] = body
        with translated(f"{verb} {path}"):
            return await self.http.request(Route(verb, path, **parameters), **given)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Nobody listens to the library's own events."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        if not initial:
            await asyncio.sleep(self.pace.identify)


@contextmanager
def without_warnings(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def decoded(answer: Any) -> Any:
    """The library takes JSON for text where its type is told with a charset."""
    if not isinstance(answer, str):
        return answer
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return answer


def flood_wait(headers: Any, body: bytes) -> tuple[float, bool]:
    """Seconds to stay away after a 429, and whether from everything: a page of the proxy is a ban of our
    address, and may not tell how long."""
    said = decoded(body.decode("utf-8", "replace"))
    told = said.get("retry_after") if isinstance(said, dict) else None
    everywhere = bool(said.get("global")) if isinstance(said, dict) else True
    try:
        return float(headers.get("Retry-After") if told is None else told), everywhere
    except (TypeError, ValueError):
        return BAN_SECONDS, everywhere
