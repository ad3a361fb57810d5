"""The faults that this platform knows, and what a client gets of a call that is struck."""

from collections.abc import Callable, Mapping
from http.client import responses

from aiohttp import web

from bots.simulators.discord.errors import ApiError, cannot_send, missing_permissions, unauthorized
from bots.simulators.discord.limits import RateLimited
from bots.simulators.faults import Fault, FaultQueue
from bots.simulators.server import json_response, reset

FAULTS = {
    "too_many_requests": "429 of this route with retry_after=`seconds`; nothing is done",
    "global_limit": "429 of the whole bot with retry_after=`seconds`; nothing is done",
    "shared_limit": "429 that others caused, with retry_after=`seconds`; nothing is done",
    "bare_limit": "429 of a server before the platform, which does not say how long; nothing is done",
    "banned": "429 of the proxy, a page that does not say how long; nothing is done",
    "server_error": "`status` (500) in the platform's form; nothing is done",
    "html": "`status` with an HTML page, as a proxy sends; nothing is done",
    "page": "200 with an HTML page, as one that wants a login; nothing is done",
    "reset": "the connection is cut; nothing is done",
    "unauthorized": "401, as after a revoked token; IDENTIFY and RESUME are closed with 4004",
    "forbidden": "403: no permission, or in direct messages blocked by the user; nothing is done",
    "accept_then_drop": "it is done, then the connection is cut without an answer",
    "slow": "it is done, then the answer waits `seconds`",
    "trickle": "it is done, then the answer comes a byte every `seconds`",
    "drop": "gateway: the socket is cut at once, or just before the event `method`",
    "reconnect": "gateway: op 7 at once, or just before the event `method`",
    "invalid_session": "gateway: op 9 true at once, or just before the event `method`",
    "lost_session": "gateway: op 9 false, and the session is forgotten; as above",
    "refuse_resume": "gateway: RESUME is answered with op 9 false, and the session is forgotten",
    "refuse_connection": "gateway: the handshake gets `status`",
    "no_acks": "gateway: heartbeats are not acknowledged",
    "freeze": "gateway: nothing more is said or read, at once or just before the event `method`",
    "duplicate": "gateway: an event is told `copies` times more",
    "delay": "gateway: an event, and all after it, waits `seconds`",
}
BEFORE = frozenset(
    {
        "too_many_requests", "global_limit", "shared_limit", "bare_limit", "banned", "server_error", "html",
        "page", "reset", "unauthorized", "forbidden",
    }
)  # fmt: skip
AFTER = frozenset({"accept_then_drop", "slow", "trickle"})
INTERRUPTING = frozenset({"drop", "freeze", "reconnect", "invalid_session", "lost_session"})
SCOPES = {"too_many_requests": "user", "global_limit": "global", "shared_limit": "shared"}


class WatchedFaults(FaultQueue):
    """A queue that says when it got something: the gateway must strike although nobody calls it."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        super().__init__(kinds)
        self.on_added: Callable[[], None] = lambda: None

    def add(self, asked: Mapping[str, object]) -> Fault:
        fault = super().add(asked)
        self.on_added()
        return fault

    def take_untied(self, kinds: frozenset[str]) -> Fault | None:
        """Use up a fault that names no event or place, so that it strikes at once."""
        pending = self.take(kinds, method=None)
        return pending.fault if pending else None


def strike(fault: Fault, request: web.Request, *, direct: bool, spent: dict[str, str]) -> web.Response:
    """Return what the client gets of a call that is not done; raises ApiError.

    `spent` are the headers of an empty bucket, for the 429s.
    """
    match fault.kind:
        case "too_many_requests" | "global_limit" | "shared_limit":
            raise RateLimited(fault.seconds, SCOPES[fault.kind], spent)
        case "server_error":
            raise ApiError(fault.status, 0, f"{fault.status}: {responses.get(fault.status, 'Unknown Error')}")
        case "unauthorized":
            raise unauthorized()
        case "forbidden":
            raise cannot_send() if direct else missing_permissions()
        case "html":
            return page(fault.status, "nginx")
        case "page":
            return page(200, "please log in")
        case "bare_limit":
            return json_response({"message": "slow down"}, status=429)
        case "banned":
            return banned()
        case _:
            return reset(request)


def banned() -> web.Response:
    """Return what the proxy answers to whoever made too many invalid requests (.../topics/rate-limits)."""
    return page(429, "error code: 1015")


def page(status: int, words: str) -> web.Response:
    text = f"<html><head><title>{status}</title></head><body><h1>{words}</h1></body></html>"
    return web.Response(text=text, status=status, content_type="text/html")
