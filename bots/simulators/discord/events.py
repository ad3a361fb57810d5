"""What happens, as the gateway tells it (docs.discord.com/developers/events/gateway-events#receive-events).

Each function makes one event; which session gets it, and whether with texts, is for the gateway to decide.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bots.simulators.discord.intents import GUILDS, MESSAGES, REACTIONS, TYPING, Scope
from bots.simulators.discord.messages import Message, emoji_json
from bots.simulators.discord.people import Channel, Guild, User

# Direct messages, and all that belongs to no server, go to the first shard
# (docs.discord.com/developers/events/gateway#sharding).
NO_GUILD = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event; `body(content)` is its data with or without the texts that need the privileged intent."""

    name: str
    intent: int
    body: Callable[[bool], dict[str, Any]]
    guild_id: int = NO_GUILD
    chats: frozenset[str] = frozenset()


def plain(name: str, channel: Channel, scope: Scope, data: dict[str, Any]) -> Event:
    """Return an event of a channel whose data is the same for everybody."""
    place = {"channel_id": str(channel.id)}
    if channel.guild is not None:
        place["guild_id"] = str(channel.guild.id)
    return in_channel(name, channel, scope, lambda _: {**place, **data})


def in_channel(name: str, channel: Channel, scope: Scope, body: Callable[[bool], dict[str, Any]]) -> Event:
    guild = channel.guild
    return Event(
        name=name,
        intent=scope.intent(in_guild=guild is not None),
        body=body,
        guild_id=guild.id if guild else NO_GUILD,
        chats=frozenset(channel.names),
    )


def message_created(message: Message, viewer: User, nonce: str | int | None = None) -> Event:
    return in_channel(
        "MESSAGE_CREATE",
        message.channel,
        MESSAGES,
        lambda content: message.as_event(viewer, content=content, nonce=nonce),
    )


def message_updated(message: Message, viewer: User) -> Event:
    return in_channel(
        "MESSAGE_UPDATE",
        message.channel,
        MESSAGES,
        lambda content: message.as_event(viewer, content=content),
    )


def message_deleted(message: Message) -> Event:
    return plain("MESSAGE_DELETE", message.channel, MESSAGES, {"id": str(message.id)})


def messages_deleted(channel: Channel, ids: Sequence[int]) -> Event:
    """docs.discord.com/developers/events/gateway-events#message-delete-bulk"""
    return plain("MESSAGE_DELETE_BULK", channel, MESSAGES, {"ids": [str(id) for id in ids]})


def reaction_changed(message: Message, user: User, emoji: str, *, added: bool) -> Event:
    data: dict[str, Any] = {
        "user_id": str(user.id), "message_id": str(message.id), "emoji": emoji_json(emoji),
        "message_author_id": str(message.author.id), "burst": False, "type": 0,
    }  # fmt: skip
    if message.channel.guild is not None and added:
        data["member"] = {"user": user.as_json(), **user.as_member()}
    name = "MESSAGE_REACTION_ADD" if added else "MESSAGE_REACTION_REMOVE"
    return plain(name, message.channel, REACTIONS, data)


def typing_started(channel: Channel, user: User, at: float) -> Event:
    data: dict[str, Any] = {"user_id": str(user.id), "timestamp": int(at)}
    if channel.guild is not None:
        data["member"] = {"user": user.as_json(), **user.as_member()}
    return plain("TYPING_START", channel, TYPING, data)


def guild_joined(guild: Guild, viewer: User) -> Event:
    return Event(
        name="GUILD_CREATE",
        intent=GUILDS,
        body=lambda _: guild.as_created(members=[viewer]),
        guild_id=guild.id,
    )


def channel_created(channel: Channel) -> Event:
    """Servers' channels only: bots are not told of new direct messages since version 8 of the API."""
    return in_channel("CHANNEL_CREATE", channel, Scope(GUILDS, GUILDS), lambda _: channel.as_json())


def thread_created(thread: Channel) -> Event:
    return in_channel(
        "THREAD_CREATE", thread, Scope(GUILDS, GUILDS), lambda _: {**thread.as_json(), "newly_created": True}
    )


def interaction_created(channel: Channel, data: dict[str, Any]) -> Event:
    return in_channel("INTERACTION_CREATE", channel, Scope(0, 0), lambda _: data)
