"""The faults that this platform knows and what a client gets of a call that is struck."""

from http.client import responses

from aiohttp import web

from bots.simulators.faults import Fault
from bots.simulators.server import reset
from bots.simulators.telegram.params import ApiError, too_many_requests

FAULTS = {
    "too_many_requests": "429 with retry_after=`seconds`; nothing is done",
    "bare_limit": "429 that does not say how long; nothing is done",
    "server_error": "`status` (500) in the platform's form; nothing is done",
    "html": "`status` with an HTML page, as a proxy sends; nothing is done",
    "page": "200 with an HTML page, as one that wants a login; nothing is done",
    "reset": "the connection is cut; nothing is done",
    "forbidden": "403: bot was blocked by the user; nothing is done",
    "accept_then_drop": "it is done, then the connection is cut without an answer",
    "slow": "it is done, then the answer waits `seconds`",
    "trickle": "it is done, then the answer comes a byte every `seconds`",
    "duplicate": "a confirmed update is delivered `copies` times more",
    "reorder": "a batch of updates is delivered in another order",
}
BEFORE = frozenset({"too_many_requests", "bare_limit", "server_error", "html", "page", "reset", "forbidden"})
AFTER = frozenset({"accept_then_drop", "slow", "trickle"})
REASONS = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


def strike(fault: Fault, request: web.Request) -> web.Response:
    """Return what the client gets of a call that is not done; raises ApiError."""
    match fault.kind:
        case "too_many_requests":
            raise too_many_requests(max(1, round(fault.seconds)))
        case "bare_limit":
            raise ApiError(429, "Too Many Requests")
        case "server_error":
            raise ApiError(fault.status, responses.get(fault.status, "Unknown error"))
        case "forbidden":
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        case "html" | "page":
            status = 200 if fault.kind == "page" else fault.status
            page = f"<html><head><title>{status}</title></head><body><h1>nginx</h1></body></html>"
            return web.Response(text=page, status=status, content_type="text/html")
        case _:
            return reset(request)
