"""Answers `/api/<method>`: token, scope, rate limit, faults, then the method itself.

docs.slack.dev/apis/web-api: a call is a GET or POST, its answer JSON with `ok`, its refusals too.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bots.simulators.faults import FaultQueue
from bots.simulators.server import LoopbackServer, json_response, reset
from bots.simulators.slack.calls import Call, Echo, Method
from bots.simulators.slack.events import Events
from bots.simulators.slack.limits import RateLimits
from bots.simulators.slack.methods import methods
from bots.simulators.slack.params import Params, SlackError, read_params
from bots.simulators.slack.strikes import AFTER, BEFORE, strike
from bots.simulators.slack.world import World


@dataclass(slots=True, kw_only=True)
class RecordedCall:
    """A call that came in: what, when (the simulator's clock), the status and the error code it got."""

    method: str
    params: dict[str, Any] = field(repr=False)
    at: float
    status: int = 0
    error: str | None = None


SCOPES = frozenset(
    {
        "app_mentions:read", "assistant:write", "channels:history", "channels:read", "chat:write", "commands",
        "groups:history", "groups:read", "im:history", "im:read", "im:write", "reactions:write", "team:read",
        "users:read",
    }
)  # fmt: skip
SCOPE_GROUPS = {"im": "im", "channel": "channels", "group": "groups"}


class WebApi:
    """The methods of one app's tokens; `tokens` fixes the ones let in, by their kind (`xoxb`, `xapp`)."""

    def __init__(
        self,
        world: World,
        events: Events,
        faults: FaultQueue,
        server: LoopbackServer,
        echo: Echo,
        socket_url: Callable[[], str],
    ) -> None:
        self.calls: list[RecordedCall] = []
        self.unknown_methods: list[str] = []
        self.tokens: dict[str, str] = {}
        self.scopes: Collection[str] = SCOPES
        self.limits: RateLimits | None = None
        self._world = world
        self._events = events
        self._faults = faults
        self._server = server
        self._echo = echo
        self._socket_url = socket_url
        self._methods = methods()

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/{method}", self._answer), web.post("/api/{method}", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        record = RecordedCall(method=name, params={}, at=self._world.clock.now())
        self.calls.append(record)
        self._world.ledger.announce()
        try:
            response: web.StreamResponse = await self._perform(request, name, record)
        except SlackError as error:
            record.error = error.code
            headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
            response = json_response(error.as_json(), status=error.status, headers=headers)
        record.status = response.status
        self._world.ledger.announce()
        return response

    async def _perform(self, request: web.Request, name: str, record: RecordedCall) -> web.StreamResponse:
        params = await read_params(request)
        record.params = dict(params.values)
        if (method := self._methods.get(name)) is None:
            self.unknown_methods.append(name)
            raise SlackError("unknown_method", req_method=name)
        scope = self._scope(method, params)
        if name != "api.test":
            self._authorize(method, scope, params.token)
        chats = self._chats_of(params)
        if (pending := self._faults.take(BEFORE, method=name, chats=chats)) is not None:
            return strike(pending.fault, request, scope)
        self._check_limit(name, method, params)
        if self._faults.take({"end_stream"}, method=name, chats=chats) is not None:
            self._end_stream(params)
        body = method.run(Call(self._world, self._events, params, self._echo, self._socket_url))
        response = json_response(with_warnings(body, params.warnings), headers=self._headers(scope))
        return await self._spoil(response, request, name, chats)

    def _scope(self, method: Method, params: Params) -> str | None:
        """Return the scope that is needed: for conversations it is told apart by their kind."""
        group, colon, right = (method.scope or "").partition(":")
        channel = self._world.find(params.text("channel"))
        if group != "channels" or channel is None:
            return method.scope
        return SCOPE_GROUPS[channel.type] + colon + right

    def _authorize(self, method: Method, scope: str | None, token: str) -> None:
        """docs.slack.dev/authentication/tokens: bot tokens begin with xoxb-, app-level ones with xapp-."""
        if not token:
            raise SlackError("not_authed")
        kind = token.partition("-")[0]
        if kind not in ("xoxb", "xapp") or token != self.tokens.get(kind, token):
            raise SlackError("invalid_auth")
        if kind != method.token:
            raise SlackError("not_allowed_token_type")
        if kind == "xoxb" and scope not in (None, *self.scopes):
            raise SlackError("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def _check_limit(self, name: str, method: Method, params: Params) -> None:
        if self.limits is not None:
            refusal = self.limits.check(name, method.tier, params.text("channel"))
            if refusal is not None:
                raise refusal

    def _end_stream(self, params: Params) -> None:
        channel = self._world.find(params.text("channel"))
        message = None if channel is None else channel.message(params.text("ts"))
        if message is not None and message.stream is not None:
            message.stream, message.seen.extra["streaming"] = None, False

    def _headers(self, scope: str | None) -> dict[str, str]:
        scopes = {"X-OAuth-Scopes": ",".join(sorted(self.scopes))}
        return scopes if scope is None else {**scopes, "X-Accepted-OAuth-Scopes": scope}

    async def _spoil(
        self, response: web.Response, request: web.Request, name: str, chats: set[str]
    ) -> web.StreamResponse:
        """Lose, delay or belie the answer to a call that was done."""
        pending = self._faults.take(AFTER, method=name, chats=chats)
        if pending is None:
            return response
        match pending.fault.kind:
            case "slow":
                await self._server.pause(pending.fault.seconds)
                return response
            case "trickle":
                return await self._server.trickle(request, response, pending.fault.seconds)
            case "accept_then_error":
                # Some of it may have been done, as the methods' pages say of this code.
                raise SlackError("internal_error")
            case _:
                return reset(request)

    def _chats_of(self, params: Params) -> set[str]:
        given = params.text("channel") or params.text("channel_id")
        known = self._world.find(given) if given else None
        return {given} | ({known.name, known.id} if known else set())


def with_warnings(body: dict[str, Any], warnings: tuple[str, ...]) -> dict[str, Any]:
    if not warnings:
        return {"ok": True, **body}
    told = {**body.get("response_metadata", {}), "warnings": list(warnings)}
    return {"ok": True, **body, "warning": ",".join(warnings), "response_metadata": told}
