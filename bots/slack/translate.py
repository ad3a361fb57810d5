"""From Slack's payload to the house's message, or None for what is not meant for the bot. Pure.

In a direct message everything is meant for the bot. In a channel, and in its threads, it must be mentioned or
given a command of its own; the answer goes into the thread it was asked in, or begins one. A file without a
word becomes a message without text, so that the person is told. Not answered: other bots and our own echo,
joins. A mention comes twice, as `message` and as `app_mention`: both have one key. Edits and deletions are
changes of the message whose key they have; an edit that names us for the first time is no new question.
https://docs.slack.dev/reference/events/message
"""

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from bots.slack import commands, ids
from bots.slack.ids import Me
from core.messages import UNTOLD, Account, InboundMessage, Place, Sender

Payload = Mapping[str, Any]

SPOKEN = frozenset({None, "", "file_share", "thread_broadcast", "me_message"})
TOMBSTONE = "tombstone"
NOBODY = frozenset({"", "USLACKBOT"})
AFTER_MENTION = " \t\n,:;"
ANGLE = re.compile(r"<([^<>\n]+)>")


def translate_event(
    payload: Payload, me: Me, account: Account, known: Container[str] = frozenset()
) -> InboundMessage | None:
    """The message of an event for the bot, or what became of one, its mention taken off. `known` are the
    commands that are taken for ours in a channel where nobody names us."""
    event = payload.get("event")
    if not isinstance(event, Mapping) or event.get("type") not in ("message", "app_mention"):
        return None
    match event.get("subtype"):
        case "message_changed":
            return _changed(event, me, account, known)
        case "message_deleted":
            before = _part(event, "previous_message")
            return _deleted(event, event.get("deleted_ts") or before.get("ts"), before, me, account)
    message = _said(event, me, account, known)
    # Whoever edits a message with our name in it has `app_mention` sent once more.
    edited = event["type"] == "app_mention" and event.get("edited")
    return replace(message, change="edited") if message is not None and edited else message


def _said(event: Payload, me: Me, account: Account, known: Container[str]) -> InboundMessage | None:
    if event.get("subtype") not in SPOKEN or event.get("hidden") or event.get("bot_id"):
        return None
    user, chat = str(event.get("user") or ""), str(event.get("channel") or "")
    if user in NOBODY or user == me.user or not chat:
        return None
    direct = _is_direct(event)
    text, mentioned = _unmentioned(str(event.get("text") or ""), me)
    mentioned = mentioned or event["type"] == "app_mention"
    if not (direct or mentioned or commands.is_known(text, known)):
        return None
    if not (text or mentioned or event.get("files")):
        return None
    ts = str(event.get("ts") or event.get("event_ts") or "")
    return _inbound(event, user, text, ts, account)


def _changed(event: Payload, me: Me, account: Account, known: Container[str]) -> InboundMessage | None:
    """Previews of links and the like change a message too, but not its text. Of a deleted message with a
    thread below it a tombstone stays. https://docs.slack.dev/reference/events/message/message_changed"""
    now, before = _part(event, "message"), _part(event, "previous_message")
    if now.get("subtype") == TOMBSTONE:
        return _deleted(event, now.get("ts"), before, me, account)
    if not now.get("ts") or ("text" in before and before["text"] == now.get("text")):
        return None
    where = {"type": "message", "channel": event.get("channel"), "channel_type": event.get("channel_type")}
    message = _said({**now, **where}, me, account, known)
    return None if message is None else replace(message, change="edited")


def _deleted(event: Payload, ts: Any, before: Payload, me: Me, account: Account) -> InboundMessage | None:
    """Of whose it was Slack tells what it tells. https://docs.slack.dev/reference/events/message/message_deleted"""
    if not ts or not event.get("channel") or before.get("bot_id") or before.get("user") == me.user:
        return None
    message = _inbound({**before, **event}, str(before.get("user") or ""), "", str(ts), account)
    return replace(message, change="deleted")


def _inbound(event: Payload, user: str, text: str, ts: str, account: Account) -> InboundMessage:
    chat, direct = str(event["channel"]), _is_direct(event)
    thread = str(event.get("thread_ts") or ("" if direct else ts))
    return InboundMessage(
        place=Place(account_id=account.id, channel=account.channel, chat=chat, thread=thread, direct=direct),
        sender=Sender(id=user, name=_name(event) or user),
        text=text,
        dedupe_key=ids.message_key(chat, ts),
        message_id=ts,
        sent_at=ids.time_of(ts),
    )


def _is_direct(event: Payload) -> bool:
    kind = event.get("channel_type")
    return kind == "im" or (ids.is_direct(str(event["channel"])) and not kind)


def _part(event: Payload, name: str) -> Payload:
    part = event.get(name)
    return part if isinstance(part, Mapping) else {}


def translate_command(
    payload: Payload, account: Account, known: Container[str] = frozenset()
) -> InboundMessage | None:
    """A slash command in its typed form. Slack shows it to nobody, so it begins no thread, and does not say
    when it was given. https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling"""
    chat, user = str(payload.get("channel_id") or ""), str(payload.get("user_id") or "")
    if not chat or not user:
        return None
    typed = commands.typed_form(
        str(payload.get("command") or ""), plain(str(payload.get("text") or "")), known
    )
    address = str(payload.get("response_url") or "")
    return InboundMessage(
        place=Place(account_id=account.id, channel=account.channel, chat=chat, direct=ids.is_direct(chat)),
        sender=Sender(id=user, name=str(payload.get("user_name") or user)),
        text=typed,
        dedupe_key=ids.command_key(payload),
        message_id="",
        sent_at=UNTOLD,
        extra={"response_url": address} if address else {},
    )


def plain(text: str) -> str:
    """Slack's own signs undone: links as CommonMark, names as names, `&amp;` as `&`.
    https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    # Only the three that Slack makes, and `&amp;` last: `&amp;lt;` was typed as `&lt;`.
    spoken = ANGLE.sub(lambda found: _spoken(found[1]), text)
    return spoken.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _spoken(inside: str) -> str:
    target, _, label = inside.partition("|")
    match target[:1]:
        case "@":
            return f"@{label or target[1:]}"
        case "#":
            return f"#{label or target[1:]}"
        case "!":
            return label or f"@{target[1:].partition('^')[0]}"
        case _:
            bare = target.removeprefix("mailto:").removeprefix("tel:")
            return bare if label in ("", bare, _without_scheme(bare)) else f"[{label}]({target})"


def _without_scheme(url: str) -> str:
    return re.sub(r"^https?://", "", url)


def _name(event: Payload) -> str:
    """The person's name, where the event says it; else it would cost a call before the answer."""
    profile = event.get("user_profile")
    told = profile if isinstance(profile, Mapping) else {}
    return str(told.get("display_name") or told.get("real_name") or told.get("name") or "")


def _unmentioned(text: str, me: Me) -> tuple[str, bool]:
    """The text without the bot's name at its start and end, and whether it was named anywhere. In the middle
    the name is part of a sentence and stays, readable."""
    name = rf"<@{re.escape(me.user)}(?:\|[^<>]*)?>"
    rest, begun = re.subn(rf"\A(?:[{AFTER_MENTION}]*{name})+", "", text)
    rest = rest.lstrip(AFTER_MENTION) if begun else rest
    rest, ended = re.subn(rf"(?:{name}\s*)+\Z", "", rest)
    rest, within = re.subn(name, lambda _: f"@{me.handle or me.user}", rest)
    return plain(rest).strip(), bool(begun or ended or within)
