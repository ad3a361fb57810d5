"""What stands before every request: the limit of an address, and headers that tell browsers to be careful.

Plain ASGI, nothing that buffers or wraps a body: streams pass through untouched.
"""

from collections.abc import Awaitable, Callable, Collection

from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Limit = Callable[[str, str], Awaitable[int | None]]
"""(kind, name), such as ("ip", "127.0.0.1"), to the whole seconds to wait, or None to go on."""

PATH_MOST = 64
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SafeHeaders:
    """Adds the headers that an answer does not set itself; a page brings its own, wider policy."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_safely)


class Limits:
    """Answers 429 with Retry-After to an address, or for an endpoint, that is asked too often."""

    def __init__(self, app: ASGIApp, *, limit: Limit, free: Collection[str]) -> None:
        self.app = app
        self.limit = limit
        self.free = frozenset(free)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait = None
        if scope["type"] == "http" and scope["path"] not in self.free:
            wait = await self._wait(scope)
        if wait is None:
            await self.app(scope, receive, send)
            return
        body = {"detail": f"Too many requests: try again in {wait} s."}
        answer = JSONResponse(body, status_code=429, headers={"Retry-After": str(wait)})
        await answer(scope, receive, send)

    async def _wait(self, scope: Scope) -> int | None:
        # The address first: a refused one then cannot use up an endpoint for everybody else.
        client = scope.get("client")
        wait = await self.limit("ip", client[0] if client else "unknown")
        return wait if wait is not None else await self.limit("endpoint", scope["path"][:PATH_MOST])
