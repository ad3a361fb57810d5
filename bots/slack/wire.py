"""The connection to the Web API: slack_sdk's client on an HTTP session of our own setting.

The SDK's own repeats are off, since a post that was written may have been shown; times are ours, and a proxy
is asked for by address, where the SDK sends everything to it. What a refusal means is left to `errors.py`.
https://docs.slack.dev/apis/web-api
"""

from typing import Any

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bots.proxy import proxy_for
from bots.slack.errors import translated
from bots.slack.ids import Me
from core.errors import Ambiguous, NotSent, Rejected, Undeliverable

CONNECT_SECONDS = 5.0


class Line:
    """The Web API for one bot token."""

    def __init__(self, bot_token: str, api_url: str, *, answer_seconds: float) -> None:
        self._times = aiohttp.ClientTimeout(total=answer_seconds, connect=CONNECT_SECONDS)
        self._session: aiohttp.ClientSession | None = None
        self.client = AsyncWebClient(bot_token, base_url=f"{api_url.rstrip('/')}/", retry_handlers=[])
        self.client.proxy = proxy_for(api_url)

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one session; opened again after `close_clients`."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=self._times)
            self.client.session = self._session
        return self._session

    def open_clients(self) -> None:
        """Take up speaking; needs a running loop."""
        assert self.session is not None

    async def close_clients(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def who_am_i(self) -> Me:
        """https://docs.slack.dev/reference/methods/auth.test"""
        with translated("auth.test"):
            told = (await self.client.auth_test()).data
            assert isinstance(told, dict)
            return Me(
                team=str(told.get("team_id") or told.get("team") or ""),
                user=str(told["user_id"]),
                bot=str(told.get("bot_id") or ""),
                handle=str(told.get("user") or ""),
            )

    async def socket_url(self, app_token: str) -> str:
        """An address that lets in once. https://docs.slack.dev/reference/methods/apps.connections.open"""
        with translated("apps.connections.open"):
            return str((await self.client.apps_connections_open(app_token=app_token))["url"])

    async def respond(self, url: str, body: dict[str, Any]) -> None:
        """Answer a command at its address: within half an hour, five times.
        https://docs.slack.dev/interactivity/handling-user-interaction#message_responses"""
        with translated("response_url"):
            async with self.session.post(url, json=body, proxy=proxy_for(url)) as answer:
                status = answer.status
        if status == 429:
            raise NotSent("response_url: 429", retry_after=float(answer.headers.get("Retry-After") or 1))
        if status in (403, 404, 410):
            raise Undeliverable(f"response_url: {status}")
        if 400 <= status < 500:
            raise Rejected(f"response_url: {status}")
        if not 200 <= status < 300:
            raise Ambiguous(f"response_url: {status}")
