"""A small HTTP server inside the caller's event loop, on loopback, that always stops cleanly.

Simulators hang their routes on it. It also knows the two ways to hurt a connection that every simulated
platform shares: cut it, or let it wait.
"""

import asyncio
import socket
import struct
from collections.abc import Iterable
from typing import Any

import orjson
from aiohttp import web

BODY_LIMIT = 64 * 1024 * 1024
# Written down for calls whose client got no answer at all.
CUT = 499


class LoopbackServer:
    """An aiohttp server on 127.0.0.1; port 0 takes any free one."""

    def __init__(self, *, port: int = 0, notice_disconnect: bool = False) -> None:
        """With `notice_disconnect` a handler is cancelled as soon as its client goes away."""
        self.app = web.Application(client_max_size=BODY_LIMIT)
        self._asked_port = port
        self._notice_disconnect = notice_disconnect
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self.url = ""

    def add_routes(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        self.app.add_routes(routes)

    async def start(self) -> None:
        """Listen; `url` is known from here on. Raises OSError when the port is taken."""
        # No access log: Telegram's tokens stand in the path.
        self._runner = web.AppRunner(
            self.app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=self._notice_disconnect,
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._asked_port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Wake everyone who waits in `pause`, close all connections and free the port."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def pause(self, seconds: float) -> bool:
        """Wait as a slow server does, but no longer than this server lives; tell whether it still does."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return True
        return False

    async def trickle(
        self, request: web.Request, response: web.Response, seconds: float
    ) -> web.StreamResponse:
        """Send an answer that is longer on its way than anybody waits: a byte every so many seconds."""
        slow = web.StreamResponse(status=response.status, headers=response.headers)
        await slow.prepare(request)
        body = response.body if isinstance(response.body, bytes) else b""
        try:
            for byte in body:
                await slow.write(bytes([byte]))
                if not await self.pause(seconds):
                    break
        except ConnectionError:
            pass
        return slow


def json_response(body: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, content_type="application/json", headers=headers
    )


def reset(request: web.Request) -> web.Response:
    """Cut the connection with a TCP reset; the response that is returned reaches nobody."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        if connection is not None:
            # A zero linger time makes the kernel send RST, as a dying proxy does, and not a polite FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response(status=CUT)
