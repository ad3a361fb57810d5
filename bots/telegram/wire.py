"""The connection to the Bot API: python-telegram-bot's `Bot` on HTTP clients of our own setting.

It keeps three things as they were that the library changes on the way: the HTTP status of a refusal, the
updates as they came (the library fails a whole batch for one it cannot read), and the token, which never
is in a URL that somebody may log. What a refusal means is left to `errors.py`.
https://core.telegram.org/bots/api#making-requests
"""

import asyncio
import json
import ssl
from collections.abc import Sequence
from time import time
from typing import Any, cast
from urllib.parse import quote

import httpx
import orjson
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bots.proxy import proxy_for

TOKEN_MARK = b"TOKEN"
CONNECT_SECONDS = 5.0


class Refused(TelegramError):
    """The Bot API answered, and said no: its HTTP status, its words, its hints."""

    __slots__ = ("description", "migrate_to", "retry_after", "status")

    def __init__(
        self, status: int, description: str, retry_after: float | None, migrate_to: int | None
    ) -> None:
        super().__init__(f"{status}: {description}")
        self.status = status
        self.description = description
        self.retry_after = retry_after
        self.migrate_to = migrate_to


class Door(httpx.AsyncHTTPTransport):
    """Puts the token into the path at the last moment, below everything that logs or raises with a URL."""

    def __init__(self, token: str, connections: int, proxy: str | None, trust: ssl.SSLContext) -> None:
        limits = httpx.Limits(max_connections=connections, keepalive_expiry=15.0)
        super().__init__(limits=limits, proxy=proxy, verify=trust)
        self._token = quote(token, safe=":").encode()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.replace(b"/bot" + TOKEN_MARK, b"/bot" + self._token, 1)
        true_request = httpx.Request(
            request.method,
            request.url.copy_with(raw_path=path),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return await super().handle_async_request(true_request)


class Client(HTTPXRequest):
    """The library's HTTP client, which tells a refusal's status and repeats no secret."""

    def __init__(
        self, token: str, api_url: str, *, connections: int, read_timeout: float, trust: ssl.SSLContext
    ) -> None:
        super().__init__(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=read_timeout,
            write_timeout=10.0,
            pool_timeout=5.0,
            httpx_kwargs={"transport": Door(token, connections, proxy_for(api_url), trust)},
        )
        self._secrets = {token.encode(), quote(token, safe="").encode()}

    async def do_request(self, url: str, method: str, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        read_timeout = kwargs.get("read_timeout")
        patience = read_timeout if isinstance(read_timeout, int | float) else self.read_timeout or 0.0
        # The transport's own limit is between two bytes: who sends one now and then would be heard for ever.
        async with asyncio.timeout(patience + min(patience, CONNECT_SECONDS)):
            status, payload = await super().do_request(url, method, *args, **kwargs)
        answer = _read(payload)
        if 200 <= status < 300 and answer.get("ok") is not False:
            return status, payload
        for secret in self._secrets:  # who does not know a method may answer with the path, token and all
            payload = payload.replace(secret, b"<token>")
        raise refusal(status, payload)

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library's, but a broken answer is not logged: it may hold what people wrote."""
        answer = _read(payload)
        if "result" not in answer:
            raise TelegramError("the answer is not JSON with a result")
        return answer


class Line(Bot):
    """The Bot API for one token: one client for the long poll, another for all else."""

    def __init__(self, token: str, api_url: str, *, answer_seconds: float) -> None:
        """`answer_seconds`: how long a call may take; for the long poll this comes on top of its wait."""
        api_url = api_url.rstrip("/")
        # Read once, and only where it is needed: all the world's authorities take a fifth of a second.
        secure = not api_url.startswith("http:")
        trust = httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        polling = Client(token, api_url, connections=2, read_timeout=answer_seconds, trust=trust)
        speaking = Client(token, api_url, connections=64, read_timeout=answer_seconds, trust=trust)
        mark = TOKEN_MARK.decode()
        super().__init__(
            token,
            base_url=lambda _: f"{api_url}/bot{mark}",
            base_file_url=lambda _: f"{api_url}/file/bot{mark}",
            request=speaking,
            get_updates_request=polling,
        )
        self._polling, self._speaking = polling, speaking

    async def open_clients(self) -> None:
        """Take up speaking; again after `close_clients`, else it does nothing."""
        await self._speaking.initialize()

    async def close_clients(self) -> None:
        await self._polling.shutdown()
        await self._speaking.shutdown()

    def listening(self) -> Client:
        """The long poll's client, to be held open by `async with`."""
        return self._polling

    async def raw_updates(
        self, offset: int | None, seconds: int, kinds: Sequence[str]
    ) -> list[dict[str, Any]]:
        """`getUpdates` with each update as it came; waits up to `seconds` for the first one."""
        asked = {"offset": offset, "timeout": seconds, "limit": 100, "allowed_updates": list(kinds)}
        patience = seconds + (self._polling.read_timeout or 0.0)
        return cast("list[dict[str, Any]]", await self._post("getUpdates", asked, read_timeout=patience))

    async def _post(self, endpoint: str, *args: Any, **kwargs: Any) -> Any:
        return completed(
            await super()._post(endpoint, *args, **kwargs), "from" if endpoint == "getMe" else ""
        )


def completed(part: Any, name: str = "") -> Any:
    """An answer with what the library insists on, and what servers other than Telegram's may leave out."""
    if isinstance(part, list):
        return [completed(item) for item in part]
    if not isinstance(part, dict):
        return part
    whole = {key: completed(value, key) for key, value in part.items()}
    match name:
        case "from":
            return {"is_bot": False, "first_name": ""} | whole
        case "chat":
            return {"type": "supergroup" if str(part.get("id")).startswith("-") else "private"} | whole
        case _ if "message_id" in part:
            return {"date": int(time())} | whole
        case _:
            return whole


def refusal(status: int, payload: bytes) -> Refused:
    """What the server said, whether in the Bot API's form or, as proxies do, in any other."""
    answer = _read(payload)
    if not answer:
        return Refused(status, f"an answer that is not JSON: {payload[:80]!r}", None, None)
    hints = answer["parameters"] if isinstance(answer.get("parameters"), dict) else {}
    return Refused(
        status if status >= 300 else int(answer.get("error_code") or 400),
        str(answer.get("description") or "no reason given"),
        hints.get("retry_after"),
        hints.get("migrate_to_chat_id"),
    )


def _read(payload: bytes) -> dict[str, Any]:
    """The JSON object of an answer; an empty one when it is none."""
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError:
        try:
            answer = json.loads(payload)  # takes half of a surrogate pair, which people can write
        except ValueError:
            return {}
    return answer if isinstance(answer, dict) else {}
