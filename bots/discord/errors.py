"""What went wrong with Discord, in the house's words: what is certain, and what to do.

Discord's refusals have codes: https://docs.discord.com/developers/topics/opcodes-and-status-codes#json.
Of the errors of the transport only those from before anything was written are certain.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import orjson

from bots.discord.library import HTTPException, RateLimited
from core.errors import Ambiguous, ChannelError, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable

NEVER_WRITTEN = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
CLOSED_CHAT = frozenset(
    {
        10003,  # unknown channel
        50001,  # missing access
        50007,  # cannot send messages to this user
        50013,  # missing permissions
        50083,  # the thread is archived
        50278,  # no server in common with this user
        160005,  # the thread is locked
    }
)
GONE_TARGET = frozenset(
    {
        10008,  # unknown message
        10015,  # unknown webhook: nobody answered the command in time
        10062,  # unknown interaction
        50027,  # the token of the interaction is over
    }
)
FLOOD_SECONDS = 5.0


@contextmanager
def translated(method: str) -> Iterator[None]:
    """Raise everything that goes wrong inside as a `ChannelError` that names the method."""
    try:
        yield
    except ChannelError:
        raise
    except Exception as error:  # whatever fails after the request was written leaves us unsure
        raise translate_error(method, error) from error


def translate_error(method: str, error: Exception) -> ChannelError:
    """The house's error for one of the library's, of the transport's, or of reading the answer."""
    if isinstance(error, RateLimited):
        return NotSent(f"{method}: too many requests", retry_after=error.retry_after)
    if isinstance(error, HTTPException):
        return _refusal(method, error)
    # The name only: texts of transport errors may quote what was sent.
    reason = f"{method}: {type(error).__name__}"
    return NotSent(reason) if isinstance(error, NEVER_WRITTEN) else Ambiguous(reason)


def _refusal(method: str, refused: HTTPException) -> ChannelError:
    said = _read(refused.text)
    code = refused.code or _number(said.get("code"))
    words = str(said.get("message") or refused.text)[:200]
    reason = f"{method}: {refused.status} {code}: {words}" if code else f"{method}: {refused.status}: {words}"
    match refused.status:
        case 429:
            return NotSent(reason, retry_after=FLOOD_SECONDS)
        case _ if code in GONE_TARGET:
            return TargetGone(reason)
        case _ if code in CLOSED_CHAT:
            return Undeliverable(reason)
        case 401:
            return Unauthorized(reason)
        case 403:
            return Undeliverable(reason)
        case 404:
            return TargetGone(reason)
        case 408:
            return Ambiguous(reason)
        case status if 400 <= status < 500:
            return Rejected(reason)
        case _:
            return Ambiguous(reason)


def _number(given: Any) -> int:
    return given if isinstance(given, int) else 0


def _read(text: str) -> dict[str, Any]:
    """The JSON object of an answer that the library took for text; an empty one when it is none."""
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
