"""Updates in the shape of the Bot API's own, read by the real library."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from telegram import Update

from bots.telegram.translate import translate
from core.messages import Account, Identity, InboundMessage

ME = Identity(name="777", handle="parley_bot")
ACCOUNT = Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="telegram", name="777")
ALICE = {"id": 42, "is_bot": False, "first_name": "Alice", "last_name": "Ash", "language_code": "de"}
BOT = {"id": 777, "is_bot": True, "first_name": "Parley", "username": "parley_bot"}
PRIVATE = {"id": 42, "type": "private", "first_name": "Alice"}
GROUP = {"id": -1001234567890, "type": "supergroup", "title": "Team"}


def message(text: str | None, chat: Mapping[str, Any] = PRIVATE, **fields: Any) -> dict[str, Any]:
    body = {"message_id": 7, "date": 1_790_000_000, "chat": chat, "from": ALICE, **fields}
    return body if text is None else {**body, "text": text}


def entity(text: str, part: str, kind: str, **fields: Any) -> dict[str, Any]:
    """An entity over `part`, counted in UTF-16 units as the platform does."""
    before, _, _ = text.partition(part)
    return {"type": kind, "offset": units(before), "length": units(part), **fields}


def units(text: str) -> int:
    return sum(2 if ord(character) > 0xFFFF else 1 for character in text)


def translated(body: Mapping[str, Any], kind: str = "message", me: Identity = ME) -> InboundMessage | None:
    update = Update.de_json({"update_id": 1, kind: dict(body)})
    return translate(update, me, ACCOUNT, known=("new", "ask", "help"))


def said(text: str, *entities: Mapping[str, Any], **fields: Any) -> str | None:
    """What the house hears of a message in a group; None when it is not meant for the bot."""
    heard = translated(message(text, GROUP, entities=list(entities), **fields))
    return heard.text if heard else None
