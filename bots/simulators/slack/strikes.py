"""The faults that this platform knows and what a client gets of a call that is struck."""

from aiohttp import web

from bots.simulators.faults import Fault
from bots.simulators.server import json_response, reset
from bots.simulators.slack.params import SlackError, rate_limited

# Codes of the methods' error tables (docs.slack.dev/reference/methods); each is a fault of its own name.
ERRORS = frozenset(
    {
        "account_inactive", "cant_update_message", "channel_not_found", "edit_window_closed", "fatal_error",
        "internal_error", "invalid_auth", "invalid_blocks", "is_archived", "message_limit_exceeded",
        "message_not_found", "message_not_in_streaming_state", "missing_scope", "msg_blocks_too_long",
        "msg_too_long", "no_permission", "not_allowed_token_type", "not_authed", "not_in_channel",
        "request_timeout", "restricted_action", "restricted_action_read_only_channel", "service_unavailable",
        "stopped_by_user", "thread_not_found", "token_expired", "token_revoked", "unknown_method",
    }
)  # fmt: skip
FAULTS = {
    "too_many_requests": "429 `ratelimited` with Retry-After=`seconds`; nothing is done",
    "bare_limit": "429 `ratelimited` that does not say how long; nothing is done",
    "server_error": "`status` (500) in the platform's form; nothing is done",
    "html": "`status` with an HTML page, as a proxy sends; nothing is done",
    "page": "200 with an HTML page, as one that wants a login; nothing is done",
    "reset": "the connection is cut; nothing is done",
    "accept_then_drop": "it is done, then the connection is cut without an answer",
    "accept_then_error": "it is done, then the answer is `internal_error`",
    "slow": "it is done, then the answer waits `seconds`",
    "trickle": "it is done, then the answer comes a byte every `seconds`",
    "end_stream": "a running stream is ended by the platform, then the call goes on",
    "duplicate": "an acknowledged event is delivered `copies` times more",
    "reorder": "an event lets the next one overtake it, or goes on after `seconds`",
    "lose_ack": "an acknowledgement does not arrive: an event is tried again, a command fails",
    "drop_socket": "every connection is cut just before an envelope goes out",
    "freeze_socket": "every connection is left open just before an envelope goes out, and says nothing more",
    "refuse_socket": "a new connection is refused with `status`",
    **{code: f"`{code}`; nothing is done" for code in sorted(ERRORS)},
}
BEFORE = frozenset({"too_many_requests", "bare_limit", "server_error", "html", "page", "reset"}) | ERRORS
AFTER = frozenset({"accept_then_drop", "accept_then_error", "slow", "trickle"})


def strike(fault: Fault, request: web.Request, scope: str | None) -> web.Response:
    """Return what the client gets of a call that is not done; raises SlackError."""
    match fault.kind:
        case "too_many_requests":
            raise rate_limited(max(1, round(fault.seconds)))
        case "server_error":
            code = "service_unavailable" if fault.status == 503 else "internal_error"
            raise SlackError(code, status=fault.status)
        case "bare_limit":
            return json_response({"ok": False, "error": "ratelimited"}, status=429)
        case "html" | "page":
            status = 200 if fault.kind == "page" else fault.status
            page = f"<html><head><title>{status}</title></head><body><h1>nginx</h1></body></html>"
            return web.Response(text=page, status=status, content_type="text/html")
        case "reset":
            return reset(request)
        case "missing_scope":
            raise SlackError("missing_scope", needed=scope or "", provided="")
        case code:
            raise SlackError(code)
