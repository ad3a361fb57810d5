"""From Discord's events to the house's messages, or None for what is not meant for the bot. Pure.

In direct messages everything with text is meant for the bot. In a server it must be mentioned, replied to, or
given a command by `!name`. Not answered: bots, webhooks, and what the system says. Without the message
content intent Discord leaves the text empty where it neither mentions the bot nor is direct; then there is
nothing to answer. Edits and deletions are changes of the message whose key they have, and no questions of
their own. https://docs.discord.com/developers/resources/message#message-object
"""

import re
from collections.abc import Mapping, Set
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bots.discord.ids import Interaction, dedupe_key, made_at
from core.messages import UNTOLD, Account, Identity, InboundMessage, Place, Sender

DEFAULT, REPLY = 0, 19
COMMAND_CALLED = 2
SAID = re.compile(r"!([A-Za-z0-9_]+)(?!\S)")
NAMED = re.compile(r"<@!?(\d+)>")
AFTER_MENTION = " \t\n,:;"


def translate(
    message: Mapping[str, Any], me: Identity, account: Account, *, direct: bool, commands: Set[str]
) -> InboundMessage | None:
    """A message as the gateway or the history tells it; `commands` are the names that `!name` may have."""
    author = message.get("author") or {}
    if message.get("webhook_id") or author.get("bot") or author.get("system") or author.get("id") == me.name:
        return None
    if message.get("type", DEFAULT) not in (DEFAULT, REPLY):
        return None
    text, mentioned = _unmentioned(str(message.get("content") or ""), me)
    called = SAID.match(text)
    if not (direct or mentioned or _answers(message, me) or (called and called[1].lower() in commands)):
        return None
    text = _with_names(text, message.get("mentions") or ())
    if not (text or mentioned or message.get("attachments")):
        return None
    id = str(message["id"])
    return InboundMessage(
        place=_place(str(message["channel_id"]), account, direct=direct),
        sender=_sender(author, message.get("member")),
        text=text,
        dedupe_key=dedupe_key("m", id),
        message_id=id,
        sent_at=_time(message.get("timestamp")),
        extra={"asker": str(author["id"])},
    )


def translate_edit(
    message: Mapping[str, Any], me: Identity, account: Account, *, direct: bool, commands: Set[str]
) -> InboundMessage | None:
    """The new text. Links that unfold and the like update a message too; nobody edited it then.
    https://docs.discord.com/developers/events/gateway-events#message-update"""
    if not message.get("edited_timestamp"):
        return None
    edited = translate(message, me, account, direct=direct, commands=commands)
    return None if edited is None else replace(edited, change="edited")


def translate_deletions(told: Mapping[str, Any], account: Account) -> list[InboundMessage]:
    """One or many; Discord says neither whose they were nor what they said.
    https://docs.discord.com/developers/events/gateway-events#message-delete"""
    place = _place(str(told["channel_id"]), account, direct=is_direct(told))
    return [
        InboundMessage(
            place=place,
            sender=Sender(id="", name=""),
            text="",
            dedupe_key=dedupe_key("m", str(id)),
            message_id=str(id),
            sent_at=made_at(int(id)) or UNTOLD,
            change="deleted",
        )
        for id in told.get("ids") or (told["id"],)
    ]


def translate_command(called: Mapping[str, Any], account: Account) -> InboundMessage | None:
    """A slash command in its typed form; its message id is the right to answer it.

    https://docs.discord.com/developers/interactions/receiving-and-responding#interaction-object
    """
    if called.get("type") != COMMAND_CALLED:
        return None
    member, data = called.get("member") or {}, called.get("data") or {}
    user = member.get("user") or called.get("user") or {}
    interaction = Interaction(
        id=str(called["id"]), application=str(called["application_id"]), token=str(called["token"])
    )
    arguments = (str(option.get("value", "")) for option in data.get("options") or ())
    direct = not called.get("guild_id")
    chat = called.get("channel_id") or (called.get("channel") or {}).get("id")
    return InboundMessage(
        place=_place(str(chat), account, direct=direct),
        sender=_sender(user, member, language=str(called.get("locale") or "")),
        text=" ".join((f"/{data.get('name')}", *arguments)).strip(),
        dedupe_key=dedupe_key("i", interaction.id),
        message_id=str(interaction),
        sent_at=made_at(int(interaction.id)) or UNTOLD,
        extra={"asker": str(user.get("id")), "interaction": str(interaction)},
    )


def is_direct(message: Mapping[str, Any]) -> bool:
    """Of an event only: messages of the history do not tell their server."""
    return not message.get("guild_id")


def _place(chat: str, account: Account, *, direct: bool) -> Place:
    return Place(account_id=account.id, channel=account.channel, chat=chat, direct=direct)


def _sender(user: Mapping[str, Any], member: Mapping[str, Any] | None, language: str = "") -> Sender:
    nick = (member or {}).get("nick")
    name = nick or user.get("global_name") or user.get("username") or user.get("id")
    return Sender(id=str(user.get("id")), name=str(name), language=language)


def _answers(message: Mapping[str, Any], me: Identity) -> bool:
    to = message.get("referenced_message") or {}
    return bool((to.get("author") or {}).get("id") == me.name)


def _unmentioned(text: str, me: Identity) -> tuple[str, bool]:
    """The text without the bot's name at its start and end, and whether it was named anywhere. In the
    middle the name is part of a sentence and stays."""
    mention = rf"<@!?{re.escape(me.name)}>"
    rest = re.sub(rf"\A(?:\s*{mention})+[{AFTER_MENTION}]*", "", text)
    rest = re.sub(rf"(?:\s*{mention})+\s*\Z", "", rest)
    return rest.strip(), re.search(mention, text) is not None


def _with_names(text: str, mentions: Any) -> str:
    """Who is named, as a person reads it."""
    names = {str(user.get("id")): user.get("global_name") or user.get("username") for user in mentions}
    return NAMED.sub(lambda found: f"@{names.get(found[1]) or found[1]}", text)


def _time(told: Any) -> datetime:
    try:
        at = datetime.fromisoformat(str(told))
    except ValueError:
        return UNTOLD
    return at if at.tzinfo else at.replace(tzinfo=UTC)
