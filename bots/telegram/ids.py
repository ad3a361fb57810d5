"""The only place that makes and reads Telegram's ids as the house keeps them: opaque strings.

A chat is its number (negative for groups), a thread the topic's `message_thread_id`, a receipt the
`message_id` inside its chat. https://core.telegram.org/bots/api#message
"""

from datetime import datetime

from core.errors import Rejected
from core.messages import Place


def chat_of(place: Place) -> int:
    return _number("chat", place.chat)


def thread_of(place: Place) -> int | None:
    return _number("thread", place.thread) if place.thread else None


def message_of(receipt: str) -> int:
    return _number("message", receipt)


def dedupe_key(chat: str, message: str, sent_at: datetime) -> str:
    """The same for every delivery of a message. Not the `update_id`: its count starts anew at times. The time
    tells apart messages of a server that was set up anew and numbers from one again."""
    return f"m:{chat}:{message}:{int(sent_at.timestamp())}"


def _number(what: str, given: str) -> int:
    try:
        return int(given)
    except ValueError:
        raise Rejected(f"Telegram {what} {given!r}: allowed is a whole number") from None
