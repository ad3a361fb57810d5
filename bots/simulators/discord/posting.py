"""Endpoints about messages (docs.discord.com/developers/resources/message#create-message and below it)."""

from typing import Any

from bots.simulators.discord.calls import Call
from bots.simulators.discord.errors import (
    ApiError,
    cannot_send,
    invalid_form,
    missing_permissions,
    too_long,
    unknown,
)
from bots.simulators.discord.events import (
    message_created,
    message_deleted,
    message_updated,
    reaction_changed,
)
from bots.simulators.discord.mentions import pings_of
from bots.simulators.discord.messages import (
    DEFAULT,
    LONGEST_NONCE,
    REPLY,
    SETTABLE,
    Draft,
    Message,
    check_not_empty,
    read_draft,
)
from bots.simulators.discord.people import DIRECT, Channel
from bots.simulators.discord.snowflakes import is_id

MOST_LISTED, USUALLY_LISTED = 100, 50


async def create_message(call: Call) -> Any:
    """docs.discord.com/developers/resources/message#create-message"""
    channel = call.channel()
    if channel.type == DIRECT and channel.shut:
        raise cannot_send()
    draft, nonce = read_draft(call.body), read_nonce(call)
    reference = read_reference(call, channel)
    check_not_empty(draft)
    if nonce is not None and call.body.get("enforce_nonce") and (known := sent_before(call, nonce)):
        return call.shown(known)
    kind = REPLY if reference else DEFAULT
    message = call.world.add_message(channel, call.world.bot, draft, type=kind, reference=reference)
    if nonce is not None:
        call.world.nonces[str(nonce)] = message
    call.house.gateway.publish(message_created(message, call.world.bot, nonce))
    shown = call.shown(message)
    return shown if nonce is None else {**shown, "nonce": nonce}


def read_nonce(call: Call) -> str | int | None:
    nonce = call.body.get("nonce")
    if nonce is not None and not isinstance(nonce, str | int):
        raise invalid_form("nonce", "NONCE_TYPE_INVALID", "Must be a string or an integer.")
    if isinstance(nonce, str) and len(nonce) > LONGEST_NONCE:
        raise too_long("nonce", LONGEST_NONCE)
    return nonce


def sent_before(call: Call, nonce: str | int) -> Message | None:
    """Return the bot's message with this nonce of the past minutes; how many is not published."""
    known = call.world.nonces.get(str(nonce))
    if known is None or call.world.clock.now() - known.seen.versions[0].at > call.house.nonce_seconds:
        return None
    return known


def read_reference(call: Call, channel: Channel) -> Message | None:
    """Return the message that is replied to; raises ApiError unless it may be missing.

    docs.discord.com/developers/resources/message#message-reference-structure
    """
    given = call.body.get("message_reference")
    if not isinstance(given, dict) or given.get("message_id") is None:
        return None
    number = str(given["message_id"])
    target = channel.messages.get(int(number)) if is_id(number) else None
    if target is not None and target.seen.deleted_at is None:
        return target
    if given.get("fail_if_not_exists", True):
        raise invalid_form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
    return None


async def edit_message(call: Call) -> Any:
    """docs.discord.com/developers/resources/message#edit-message; nobody is pinged by an edit."""
    message = call.message()
    if message.author != call.world.bot:
        raise ApiError(403, 50005, "Cannot edit a message authored by another user")
    return change(call, message)


def change(call: Call, message: Message) -> Any:
    """Apply a form to a message that may be edited, tell everybody, and return it."""
    draft = read_draft(call.body)
    after = Draft(
        content=draft.content if "content" in call.body else message.content,
        embeds=draft.embeds if "embeds" in call.body else message.embeds,
        components=draft.components if "components" in call.body else message.components,
        attachments=draft.attachments if "attachments" in call.body else message.attachments,
    )
    check_not_empty(after)
    message.embeds, message.components, message.attachments = (
        after.embeds,
        after.components,
        after.attachments,
    )
    message.seen.extra["embeds"] = after.embeds
    if "flags" in call.body:
        message.flags = message.seen.extra["flags"] = message.flags & ~SETTABLE | draft.flags
    if "content" in call.body:
        message.mentions = call.world.known_users(pings_of(after.content, draft.allowed))
    call.world.ledger.edit(message.seen, call.world.version(after.content))
    if not message.ephemeral:
        call.house.gateway.publish(message_updated(message, call.world.bot))
    return call.shown(message)


async def delete_message(call: Call) -> None:
    """docs.discord.com/developers/resources/message#delete-message"""
    message = call.message()
    if message.author != call.world.bot:
        if message.channel.type == DIRECT:
            raise ApiError(403, 50003, "Cannot execute action on a DM channel")
        raise missing_permissions()
    erase(call, message)


def erase(call: Call, message: Message) -> None:
    call.world.ledger.delete(message.seen, call.world.clock.now())
    if not message.ephemeral:
        call.house.gateway.publish(message_deleted(message))


async def get_channel_message(call: Call) -> Any:
    return call.shown(call.message())


async def get_channel_messages(call: Call) -> Any:
    """docs.discord.com/developers/resources/message#get-channel-messages: newest first."""
    channel, limit = call.channel(), read_limit(call)
    there = sorted(
        (each for each in channel.messages.values() if each.seen.deleted_at is None),
        key=lambda each: -each.id,
    )
    bounds = {name: read_bound(call, name) for name in ("around", "before", "after") if name in call.query}
    if "around" in bounds:
        older = [each for each in there if each.id <= bounds["around"]][: limit - limit // 2]
        newer = [each for each in there if each.id > bounds["around"]]
        there = (newer[len(newer) - limit // 2 :] if len(newer) > limit // 2 else newer) + older
    elif "before" in bounds:
        there = [each for each in there if each.id < bounds["before"]][:limit]
    elif "after" in bounds:
        there = [each for each in there if each.id > bounds["after"]][-limit:]
    return [call.shown(each) for each in there[:limit]]


def read_limit(call: Call) -> int:
    given = call.query.get("limit", str(USUALLY_LISTED))
    if not given.isdigit() or not 1 <= int(given) <= MOST_LISTED:
        words = f"int value should be between 1 and {MOST_LISTED}."
        raise invalid_form("limit", "NUMBER_TYPE_RANGE", words)
    return int(given)


def read_bound(call: Call, name: str) -> int:
    given = call.query[name]
    if not given.isdigit():
        raise invalid_form(name, "NUMBER_TYPE_COERCE", f'Value "{given}" is not snowflake.')
    return int(given)


async def create_reaction(call: Call) -> None:
    """docs.discord.com/developers/resources/message#create-reaction"""
    message, emoji = call.message(), read_emoji(call)
    reaction = {"emoji": emoji, "user_id": str(call.world.bot.id)}
    if reaction not in message.seen.extra["reactions"]:
        message.seen.extra["reactions"].append(reaction)
        call.world.ledger.announce()
        call.house.gateway.publish(reaction_changed(message, call.world.bot, emoji, added=True))


async def delete_own_reaction(call: Call) -> None:
    message, emoji = call.message(), read_emoji(call)
    reaction = {"emoji": emoji, "user_id": str(call.world.bot.id)}
    if reaction not in message.seen.extra["reactions"]:
        raise unknown("Message Reaction", 10014)
    message.seen.extra["reactions"].remove(reaction)
    call.world.ledger.announce()
    call.house.gateway.publish(reaction_changed(message, call.world.bot, emoji, added=False))


def read_emoji(call: Call) -> str:
    """Return a standard emoji, or `name:id`; words are none."""
    emoji = call.path["emoji"]
    name, _, number = emoji.partition(":")
    if is_id(number) if number else emoji and not any(each.isascii() and each.isalpha() for each in name):
        return emoji
    raise ApiError(400, 10014, "Unknown Emoji")
