"""The REST API's front: who may in, limits, faults, and the record of what was called.

docs.discord.com/developers/reference. What a call does is in the endpoints that `routes` names.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bots.simulators.discord.calls import Call, House, read_body
from bots.simulators.discord.errors import ApiError, not_found, unauthorized
from bots.simulators.discord.limits import Limits, RateLimited, place_of
from bots.simulators.discord.people import DIRECT
from bots.simulators.discord.routes import ROOT, Route, all_routes, match
from bots.simulators.discord.snowflakes import is_id
from bots.simulators.discord.strikes import AFTER, BEFORE, banned, strike
from bots.simulators.server import LoopbackServer, json_response, reset


@dataclass(slots=True, kw_only=True)
class RecordedCall:
    """A call that came in: the documentation's name for it, where, what, when, and the status it got.

    IDENTIFY and RESUME are recorded too, without a status.
    """

    method: str
    path: str = field(default="", repr=False)
    params: Any = field(default_factory=dict, repr=False)
    at: float
    status: int = 0


class Rest:
    """Answers everything below `/api/v10`."""

    def __init__(
        self,
        house: House,
        limits: Limits,
        admits: Callable[[str], bool],
        server: LoopbackServer,
    ) -> None:
        self.house = house
        self.limits = limits
        self.calls: list[RecordedCall] = []
        self.unknown_routes: list[str] = []
        self._routes = all_routes()
        self._admits = admits
        self._server = server

    def note(self, method: str, params: dict[str, Any]) -> None:
        """Record what a client said over the gateway."""
        self.calls.append(RecordedCall(method=method, params=params, at=self._now()))
        self.house.world.ledger.announce()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path
        route, variables, known = match(self._routes, request.method, path.removeprefix(ROOT))
        record = RecordedCall(method=route.name if route else path, path=path, at=self._now())
        self.calls.append(record)
        self.house.world.ledger.announce()
        scope = None
        response: web.StreamResponse
        try:
            if route is None or not path.startswith(ROOT):
                self.unknown_routes.append(f"{request.method} {path}")
                raise ApiError(405, 0, "405: Method Not Allowed") if known else not_found()
            response = await self._perform(request, route, variables, record)
        except ApiError as error:
            scope = error.scope if isinstance(error, RateLimited) else None
            response = json_response(error.as_json(), status=error.status, headers=error.headers)
        record.status = response.status
        self.limits.note(response.status, scope)
        self.house.world.ledger.announce()
        return response

    async def _perform(
        self, request: web.Request, route: Route, variables: dict[str, str], record: RecordedCall
    ) -> web.StreamResponse:
        if self.limits.banned:
            return banned()
        body = record.params = await read_body(request)
        chats, direct = self._place(variables)
        if (pending := self.house.gateway.faults.take(BEFORE, method=route.name, chats=chats)) is not None:
            spent = self.limits.exhausted(route.name, pending.fault.seconds)
            return strike(pending.fault, request, direct=direct, spent=spent)
        token = request.headers.get("Authorization", "").removeprefix("Bot ")
        if not route.open and not self._admits(token):
            raise unauthorized()
        headers = self.limits.admit(route.name, place_of(variables.items()), counts_globally=not route.open)
        call = Call(
            house=self.house, path=variables, query=request.query,
            body=body if isinstance(body, dict) else {}, listed=body if isinstance(body, list) else None,
        )  # fmt: skip
        try:
            result = await route.endpoint(call)
        except ApiError as error:
            error.headers = {**headers, **error.headers}
            raise
        return await self._spoil(respond(route, result, headers), request, route.name, chats)

    async def _spoil(
        self, response: web.Response, request: web.Request, name: str, chats: set[str]
    ) -> web.StreamResponse:
        """Lose or delay the answer to a call that was done."""
        pending = self.house.gateway.faults.take(AFTER, method=name, chats=chats)
        if pending is None:
            return response
        if pending.fault.kind == "slow":
            await self._server.pause(pending.fault.seconds)
            return response
        if pending.fault.kind == "trickle":
            return await self._server.trickle(request, response, pending.fault.seconds)
        return reset(request)

    def _place(self, variables: dict[str, str]) -> tuple[set[str], bool]:
        """Return the names of the channel that the call or its interaction is in, and if it is direct."""
        given = variables.get("channel", "")
        channel = self.house.world.channels.get(int(given)) if is_id(given) else None
        if (asked := self.house.desk.find(variables.get("token", ""))) is not None:
            channel = asked.channel
        if channel is None:
            return {given}, False
        return channel.names, channel.type == DIRECT

    def _now(self) -> float:
        return self.house.world.clock.now()


def respond(route: Route, result: Any, headers: dict[str, str]) -> web.Response:
    if result is None:
        return web.Response(status=204, headers=headers)
    return json_response(result, status=route.status, headers=headers)
