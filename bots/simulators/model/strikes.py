"""The faults that the model knows, and the errors that some of them answer with.

The errors' words and codes follow platform.openai.com/docs/guides/error-codes.
"""

from aiohttp import web

from bots.simulators.faults import Fault
from bots.simulators.model.shapes import ModelError
from bots.simulators.server import reset

FAULTS = {
    "too_many_requests": "429 rate_limit_exceeded with retry-after=`seconds`",
    "insufficient_quota": "429 insufficient_quota, which no waiting mends",
    "unauthorized": "401 invalid_api_key",
    "context_length": "400 context_length_exceeded",
    "server_error": "`status` (500) in the API's form",
    "html": "`status` with an HTML page, as a proxy sends",
    "reset": "the connection is cut before anything is generated",
    "accept_then_drop": "the whole answer is generated, and charged, and the connection is cut",
    "cut": "the connection closes after `after` tokens",
    "stall": "nothing for `seconds` after `after` tokens (0: before the first), then it goes on",
    "cut_byte": "the connection closes after `after` bytes of the body, in the midst of whatever that is",
    "empty": "an answer without a word",
    "no_usage": "an answer that does not tell what it cost",
    "error_in_stream": "an error event after `after` tokens, then the end",
}
DURING = frozenset({"accept_then_drop", "cut", "cut_byte", "stall", "error_in_stream"})
SHAPING = frozenset({"empty", "no_usage"})
BEFORE = frozenset(FAULTS) - DURING - SHAPING


def strike(fault: Fault, request: web.Request) -> web.Response:
    """Return what the client gets of a call that generates nothing; raises ModelError."""
    match fault.kind:
        case "too_many_requests":
            raise ModelError(
                429, "Rate limit reached for requests. Please try again later.",
                kind="requests", code="rate_limit_exceeded", retry_after=fault.seconds,
            )  # fmt: skip
        case "insufficient_quota":
            words = "You exceeded your current quota, please check your plan and billing details."
            raise ModelError(429, words, kind="insufficient_quota", code="insufficient_quota")
        case "unauthorized":
            raise wrong_key()
        case "context_length":
            raise context_exceeded(8192, 8193)
        case "server_error":
            words = "The server had an error while processing your request. Sorry about that!"
            raise ModelError(fault.status, words, kind="server_error")
        case "html":
            page = f"<html><head><title>{fault.status}</title></head><body><h1>nginx</h1></body></html>"
            return web.Response(text=page, status=fault.status, content_type="text/html")
        case _:
            return reset(request)


def wrong_key() -> ModelError:
    return ModelError(401, "Incorrect API key provided.", code="invalid_api_key")


def context_exceeded(limit: int, given: int) -> ModelError:
    words = (
        f"This model's maximum context length is {limit} tokens. However, your messages resulted in "
        f"{given} tokens. Please reduce the length of the messages."
    )
    return ModelError(400, words, code="context_length_exceeded", param="messages")
