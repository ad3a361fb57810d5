"""A Bot API that answers exactly what a test tells it, for what no true server does on demand."""

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bots.simulators.server import LoopbackServer, json_response, reset

ME = {"id": 700001, "is_bot": True, "first_name": "Parley", "username": "parley_bot"}
Call = tuple[str, dict[str, str]]
Answer = Callable[[web.Request], web.Response]


def result(value: Any) -> Answer:
    return lambda _: json_response({"ok": True, "result": value})


def refuse(status: int, description: str, **parameters: Any) -> Answer:
    body = {"ok": False, "error_code": status, "description": description}
    return lambda _: json_response(body | ({"parameters": parameters} if parameters else {}), status=status)


def page(status: int, text: str) -> Answer:
    return lambda _: web.Response(status=status, text=text)


def cut() -> Answer:
    return reset


def unknown(request: web.Request) -> web.Response:
    """As small frameworks answer a path they do not know: with the path, token and all."""
    return web.Response(status=404, text=f"Cannot POST {request.path}")


class BareApi:
    """Answers each method from its own queue; then `getUpdates` waits and all else is unknown."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[str, deque[Answer]] = {"getMe": deque([result(ME)])}
        self._changed = asyncio.Event()
        self._server = LoopbackServer(notice_disconnect=True)
        self._server.add_routes([web.post("/bot{token}/{method}", self._answer)])

    @property
    def url(self) -> str:
        return self._server.url

    def answers(self, method: str, *answers: Answer) -> None:
        self._answers.setdefault(method, deque()).extend(answers)

    def answers_first(self, method: str, answer: Answer) -> None:
        self._answers.setdefault(method, deque()).appendleft(answer)

    def asked(self, method: str) -> list[dict[str, str]]:
        """The parameters of every call of a method."""
        return [params for name, params in self.calls if name == method]

    async def until(self, reached: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not reached():
                await self._changed.wait()

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()

    async def _answer(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        self.calls.append((method, {key: str(value) for key, value in (await request.post()).items()}))
        self._changed.set()
        self._changed = asyncio.Event()
        if answers := self._answers.get(method):
            return answers.popleft()(request)
        if method == "getUpdates":
            await self._server.pause(3600)
            return json_response({"ok": True, "result": []})
        return unknown(request)
