"""Any model behind an OpenAI-compatible address, through the openai SDK's client.

The SDK gives configuration, headers and transport. Bodies are made here and handed to its HTTP client, since
the typed `create` inspects every message of the history on every call (165 us each), and even its `post`
builds its options, headers and URL anew (350 us); answers are read here, since the SDK builds a typed object
for every chunk. Attempts and the deadline of the whole turn are the engine's: there are no retries here, and
closing the iterator ends the call at the vendor. Importing this module imports the SDK, which takes most of
a second; `models.Models` does it beside the event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from functools import cached_property, partial
from urllib.parse import urlsplit

import aiohttp
import httpx2
from openai import AsyncOpenAI, DefaultAioHttpClient

from core.errors import ModelCut, ModelError, ModelUnavailable
from core.llm.dialect import Dialect, first_dialect
from core.llm.patience import Patience, Timeouts
from core.llm.payloads import Payloads
from core.llm.refusals import of_status, read_body, spoken
from core.llm.reply import Reply
from core.llm.tokens import estimate
from core.messages import Delta, Finish
from core.ports import ModelRequest, Tokens

OPENAI = "https://api.openai.com/v1"
NO_KEY = "no-key"
"""Sent where an address needs no key: the header must hold something."""

MOST_BYTES = 32 * 1024 * 1024
"""Of one response: a thousand times a long answer. More is a server gone wrong."""

DRAIN_SECONDS = 0.05
TRANSPORT = (httpx2.HTTPError, httpx2.StreamError, aiohttp.ClientError, OSError)


class OpenAIModel:
    """The port `ModelProvider` for one address and key. Without a key a placeholder is sent.

    `ValueError` for an address that is none or a key that no HTTP header can hold; the text has no key.
    """

    def __init__(
        self,
        *,
        tokens: Tokens,
        api_key: str = "",
        base_url: str = "",
        timeouts: Timeouts | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._key = api_key.strip() or NO_KEY
        if not self._key.isascii() or not self._key.isprintable():
            raise ValueError("the model's API key holds characters that an HTTP header cannot carry")
        if urlsplit(base_url or OPENAI).scheme not in ("http", "https"):
            raise ValueError(f'the model\'s address is "{base_url}"; it must begin with http:// or https://')
        self._tokens = tokens
        self._timeouts = timeouts or Timeouts()
        self._most_bytes = most_bytes
        self._first_dialect = first_dialect(base_url or OPENAI)
        self._dialects: dict[str, Dialect] = {}
        # Reading is timed in `Patience`; left to the client are the two waits it alone can see.
        limits = httpx2.Timeout(None, connect=self._timeouts.connect, pool=self._timeouts.connect)
        self._http = DefaultAioHttpClient(timeout=limits)
        self._sdk = AsyncOpenAI(api_key=self._key, base_url=base_url or OPENAI, http_client=self._http)
        self._url = self._sdk.base_url.join("chat/completions")

    async def answer(self, request: ModelRequest) -> AsyncGenerator[Delta | Finish, None]:
        """See `ModelProvider`. After text has come every failure is a `ModelCut`; its code says which."""
        reply = Reply()
        try:
            async with aclosing(self._texts(request, reply)) as texts:
                async for text in texts:
                    yield Delta(text=text)
        except ModelError as error:
            if not reply.ended:
                raise self._told(error, reply) from None
        yield reply.finish(partial(estimate, self._tokens, request.messages))

    async def close(self) -> None:
        """Close the connections; nothing can be asked afterwards."""
        await self._sdk.close()

    async def _texts(self, request: ModelRequest, reply: Reply) -> AsyncGenerator[str, None]:
        """Ask, and give the text as it comes; leaving early closes the connection."""
        patience = Patience(self._timeouts, streams=request.stream)
        response = await self._ask(request, patience)
        reply.request_id = response.headers.get("x-request-id", "")
        payloads = Payloads()
        chunks = response.aiter_bytes()
        try:
            while not reply.done and (chunk := await _read(chunks, patience)):
                self._weigh(response.num_bytes_downloaded)
                for payload in (arrived := payloads.feed(chunk)):
                    if text := reply.take(payload):
                        yield text
                if arrived:
                    patience.renew(ended=reply.ended)
            for payload in payloads.close():
                if text := reply.take(payload):
                    yield text
            if not reply.ended:
                raise ModelUnavailable("the model server hung up before the answer's end", code="connection")
            await _drain(chunks)
        finally:
            await chunks.aclose()
            await response.aclose()

    async def _ask(self, request: ModelRequest, patience: Patience) -> httpx2.Response:
        """Send the request in the form this model takes; the response comes with its body unread."""
        dialect = self._dialects.get(request.model, self._first_dialect)
        while True:
            response = await self._post(dialect.body(request), patience)
            if response.is_success:
                self._dialects[request.model] = dialect
                return response
            error = read_body(await self._read_whole(response, patience))
            other = dialect.after(response.status_code, spoken(error))
            if other is None:
                raise of_status(response.status_code, error, response.headers)
            dialect = other

    async def _post(self, body: bytes, patience: Patience) -> httpx2.Response:
        request = httpx2.Request(
            "POST", self._url, headers=self._headers, cookies=self._http.cookies, content=body
        )
        try:
            async with patience.limit():
                return await self._http.send(request, stream=True)
        except TRANSPORT as error:
            raise _unreachable(error) from None

    @cached_property
    def _headers(self) -> httpx2.Headers:
        """Those of the SDK's own requests, one of which names the event loop: made by the first call."""
        named = {**self._sdk.auth_headers, **self._sdk.default_headers, "x-stainless-retry-count": "0"}
        given = {name: value for name, value in named.items() if isinstance(value, str)}
        made = self._http.build_request("POST", self._url, headers=given).headers
        del made["content-length"]
        # With its encoding, which would else be looked for in every call.
        return httpx2.Headers(made.raw, encoding=made.encoding)

    async def _read_whole(self, response: httpx2.Response, patience: Patience) -> bytes:
        chunks, read = response.aiter_bytes(), b""
        try:
            while chunk := await _read(chunks, patience):
                self._weigh(response.num_bytes_downloaded)
                read += chunk
        finally:
            await chunks.aclose()
            await response.aclose()
        return read

    def _weigh(self, read: int) -> None:
        if read > self._most_bytes:
            raise ModelUnavailable(
                f"the model server sent more than {self._most_bytes} bytes", code="bad_reply"
            )

    def _told(self, error: ModelError, reply: Reply) -> ModelError:
        """The error as it leaves: cut where text had come, and without our key should a server repeat it."""
        kind = ModelCut if reply.begun else type(error)
        return kind(str(error).replace(self._key, "***"), code=error.code, retry_after=error.retry_after)


async def _read(chunks: AsyncIterator[bytes], patience: Patience) -> bytes:
    """The next bytes; none at the end of the body."""
    try:
        async with patience.limit():
            return await anext(chunks, b"")
    except TRANSPORT as error:
        raise _unreachable(error) from None


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """The body's own end follows the closing mark at once; a connection read up to there is used again."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in chunks:
                pass
    except TRANSPORT:
        pass  # the answer is whole already


def _unreachable(error: Exception) -> ModelUnavailable:
    causes = list(_causes(error))
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return ModelUnavailable("the model server did not answer in time", code="timeout")
    deepest = causes[-1]
    reason = f"no connection to the model server: {type(deepest).__name__}: {deepest}"
    return ModelUnavailable(reason, code="connection")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
