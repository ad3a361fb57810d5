"""From Telegram's update to the house's message, or None for what is not meant for the bot. Pure.

In a private chat everything is meant for the bot. In a group it must be mentioned, replied to, or given a
command of its own. Media without a caption become a message without text, so that the person is told. Not
answered: other bots, anonymous admins, what is sent in a channel's name (there is no person to answer),
and commands for other bots. An edit is a change of the message whose key it has, and no question of its own;
of deletions bots are not told.
https://core.telegram.org/bots/api#update
"""

import re
from collections.abc import Container
from dataclasses import replace

from telegram import Message, MessageEntity, Update, User
from telegram.constants import ChatType

from bots.telegram.ids import dedupe_key
from core.messages import Account, Identity, InboundMessage, Place, Sender

GROUPS = (ChatType.GROUP, ChatType.SUPERGROUP)
COMMAND = re.compile(r"([/!])([A-Za-z0-9_]+)(?:@([A-Za-z0-9_]+))?(?!\S)")
AFTER_MENTION = " \t\n,:;"


def translate(
    update: Update, me: Identity, account: Account, known: Container[str] = frozenset()
) -> InboundMessage | None:
    """The message of an update for the bot `me`, or its new text, its mention and the command's @name taken
    off. `known` are the commands that are taken for ours in a group without a name behind them."""
    if (edited := update.edited_message) is not None:
        return None if edited.location else _changed(_said(edited, me, account, known))
    return _said(update.message, me, account, known)


def _changed(message: InboundMessage | None) -> InboundMessage | None:
    return None if message is None else replace(message, change="edited")


def _said(
    message: Message | None, me: Identity, account: Account, known: Container[str]
) -> InboundMessage | None:
    if message is None or message.from_user is None or message.sender_chat is not None:
        return None
    direct = message.chat.type == ChatType.PRIVATE
    if message.from_user.is_bot or not (direct or message.chat.type in GROUPS):
        return None
    text, mentioned = _unmentioned(message, me)
    command = COMMAND.match(text)
    if command and command[3]:
        if command[3].lower() != me.handle.lower():
            return None
        text, mentioned = f"{command[1]}{command[2]}{text[command.end() :]}", True
    ours = command is not None and command[2].lower() in known
    if not (direct or mentioned or ours or _answers(message, me)):
        return None
    if not text and message.effective_attachment is None:
        return None
    return _inbound(message, text, direct, account)


def _inbound(message: Message, text: str, direct: bool, account: Account) -> InboundMessage:
    assert message.from_user is not None
    chat, number = str(message.chat.id), str(message.message_id)
    thread = str(message.message_thread_id) if message.is_topic_message and message.message_thread_id else ""
    return InboundMessage(
        place=Place(account_id=account.id, channel=account.channel, chat=chat, thread=thread, direct=direct),
        sender=_sender(message.from_user),
        text=text,
        dedupe_key=dedupe_key(chat, number, message.date),
        message_id=number,
        sent_at=message.date,
    )


def _sender(user: User) -> Sender:
    name = (user.full_name or "").strip() or user.username or str(user.id)
    return Sender(id=str(user.id), name=name, language=user.language_code or "")


def _answers(message: Message, me: Identity) -> bool:
    """A reply to the bot. Every message in a topic "replies" to the service message that opened it."""
    to = message.reply_to_message
    return to is not None and to.forum_topic_created is None and _is_me(to.from_user, me)


def _is_me(user: User | None, me: Identity) -> bool:
    return user is not None and str(user.id) == me.name


def _unmentioned(message: Message, me: Identity) -> tuple[str, bool]:
    """Text or caption without the bot's name at its start and end, and whether it was named anywhere.
    In the middle the name is part of a sentence and stays."""
    text = message.text or message.caption or ""
    units = text.encode("utf-16-le", "surrogatepass")  # the platform counts an entity's place in UTF-16 units
    spans = [
        (2 * entity.offset, 2 * (entity.offset + entity.length))
        for entity in message.entities or message.caption_entities
        if _names_me(entity, units, me)
    ] or _named_plainly(message, text, me)
    begin, end = 0, len(units)
    for left, right in spans:
        if not _text(units, begin, left).strip():
            begin = right
    for left, right in reversed(spans):
        if left >= begin and not _text(units, right, end).strip():
            end = left
    rest = _text(units, begin, end)
    return (rest.lstrip(AFTER_MENTION) if begin else rest).strip(), bool(spans)


def _named_plainly(message: Message, text: str, me: Identity) -> list[tuple[int, int]]:
    """Where a server marks no entities, the name counts as people see it."""
    if message.entities or message.caption_entities or not me.handle:
        return []
    name = re.compile(rf"(?<![\w@.])@{re.escape(me.handle)}(?![\w.-]*\w)", re.IGNORECASE)
    before = (text[: found.start()] for found in name.finditer(text))
    starts = [len(head.encode("utf-16-le", "surrogatepass")) for head in before]
    return [(start, start + 2 * (len(me.handle) + 1)) for start in starts]


def _names_me(entity: MessageEntity, units: bytes, me: Identity) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return _is_me(entity.user, me)
    named = _text(units, 2 * entity.offset, 2 * (entity.offset + entity.length))
    return entity.type == MessageEntity.MENTION and named.lower() == f"@{me.handle}".lower()


def _text(units: bytes, begin: int, end: int) -> str:
    return units[begin:end].decode("utf-16-le", "replace")
