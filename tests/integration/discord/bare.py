"""A server that speaks Discord's protocol as barely as one may: JSON with a charset, 429s without the
platform's own headers, a READY without an address to resume at, small ids, few routes."""

import asyncio
from collections.abc import Callable
from typing import Any, Self

import orjson
from aiohttp import web

from bots.simulators.server import LoopbackServer

ME = {"id": "99", "username": "bare"}


class BareDiscord:
    """`messages` and `edits` are what was sent; `refusals` are answered first."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.edits: list[tuple[str, str]] = []
        self.calls: list[str] = []
        self.refusals: list[web.Response] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.said: list[Any] = []
        self._changed = asyncio.Event()
        self._sequence = 0
        self._server = LoopbackServer()
        self._server.add_routes(
            [web.get("/ws", self._gateway), web.route("*", "/api/v10/{path:.*}", self._rest)]
        )

    @property
    def api_url(self) -> str:
        return f"{self._server.url}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"ws{self._server.url.removeprefix('http')}/ws"

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in self.sockets:
            await socket.close()
        await self._server.stop()

    async def until(self, reached: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not reached():
                await self._changed.wait()

    async def say(self, number: int, text: str) -> None:
        author = {"id": "7", "username": "ann"}
        message = {"id": str(number), "channel_id": "5", "author": author, "content": text}
        self.said.append(message)
        await self._tell("MESSAGE_CREATE", message)

    async def _tell(self, name: str, data: Any) -> None:
        self._sequence += 1
        frame = {"op": 0, "t": name, "s": self._sequence, "d": data}
        if self.sockets and not self.sockets[-1].closed:
            await self.sockets[-1].send_str(orjson.dumps(frame).decode())

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41250}})
        async for frame in socket:
            op = orjson.loads(frame.data)["op"]
            if op == 6:
                await socket.send_json({"op": 9, "d": False})
            elif op == 2:
                self.sockets.append(socket)
                await self._tell("READY", {"session_id": "s", "user": ME})
                self._announce()
        return socket

    async def _rest(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.calls.append(f"{request.method} {path}")
        body = await request.json() if request.can_read_body else {}
        answer = self._answer(request.method, path, body)
        self._announce()
        return answer

    def _answer(self, method: str, path: str, body: Any) -> web.Response:
        if path == "users/@me":
            return web.json_response(ME)
        if self.refusals:
            return self.refusals.pop(0)
        if (method, path) == ("GET", "channels/5/messages"):
            return web.json_response(self.said[::-1])
        if (method, path) == ("POST", "channels/5/messages"):
            self.messages.append(body)
            return web.json_response({"id": str(1000 + len(self.messages))})
        if method == "PATCH":
            self.edits.append((path, body["content"]))
            return web.json_response({"id": path.rpartition("/")[2]})
        return web.json_response({"message": "404: Not Found", "code": 0}, status=404)

    def _announce(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
