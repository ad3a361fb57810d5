"""What went wrong with Telegram, in the house's words: what is certain, and what to do.

Telegram's refusals have no codes beyond the HTTP status, only English texts, which the official server
keeps stable: https://github.com/tdlib/telegram-bot-api. The library's own errors matter only by the
transport's error behind them: it tells whether the request was written at all.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from telegram.error import TelegramError

from bots.telegram.wire import Refused
from core.errors import Ambiguous, ChannelError, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable

NEVER_WRITTEN = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
CLOSED_CHAT = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "deactivated",
    "user_is_blocked",
    "bot_blocked",
    "channel_private",
    "not enough rights to send",
    "have no rights to send",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_restricted",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
)
GONE_TARGET = ("message to edit not found", "message can't be edited", "message_id_invalid")
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
    if isinstance(error, Refused):
        return _refusal(method, error)
    cause = error.__cause__ or error
    # The names only: texts of transport errors may quote what was sent.
    reason = f"{method}: {type(error).__name__}" + (
        f" ({type(cause).__name__})" if cause is not error else ""
    )
    if isinstance(error, TelegramError) and isinstance(cause, NEVER_WRITTEN):
        return NotSent(reason)
    return Ambiguous(reason)


def _refusal(method: str, refused: Refused) -> ChannelError:
    reason, said = f"{method}: {refused}", refused.description.lower()
    match refused.status:
        case 429:
            return NotSent(reason, retry_after=refused.retry_after or FLOOD_SECONDS)
        case 401:
            return Unauthorized(reason)
        case 403:
            return Undeliverable(reason)
        case 408:
            return Ambiguous(reason)
        case 400 if any(words in said for words in GONE_TARGET):
            return TargetGone(reason)
        case 400 if any(words in said for words in CLOSED_CHAT):
            return Undeliverable(reason)
        case status if 400 <= status < 500:
            return Rejected(reason)
        case _:
            return Ambiguous(reason)
