"""Who and where: users, servers and channels, and their JSON forms.

docs.discord.com/developers/resources/user, .../guild and .../channel. Threads are channels with a parent.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bots.simulators.discord.snowflakes import moment_of, timestamp

if TYPE_CHECKING:
    from bots.simulators.discord.messages import Message

TEXT, DIRECT, THREAD = 0, 1, 11
# View, send, react, read history, embed, attach, foreign emoji, mention all, threads, commands.
PERMISSIONS = str(1 << 6 | 0b11 << 10 | 0b1111 << 14 | 1 << 18 | 1 << 31 | 1 << 35 | 1 << 38)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a bot (docs.discord.com/developers/resources/user#user-object)."""

    id: int
    name: str
    is_bot: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "id": str(self.id), "username": self.name, "discriminator": "0000" if self.is_bot else "0",
            "global_name": None, "avatar": None, "bot": self.is_bot, "system": False, "public_flags": 0,
            "banner": None, "accent_color": None, "avatar_decoration_data": None,
        }  # fmt: skip

    def as_member(self) -> dict[str, Any]:
        """Return the member without its user (.../resources/guild#guild-member-object)."""
        return {
            "nick": None, "avatar": None, "roles": [], "joined_at": timestamp(moment_of(self.id)),
            "premium_since": None, "deaf": False, "mute": False, "flags": 0, "pending": False,
            "communication_disabled_until": None,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Channel:
    """A text channel, a direct message or a public thread; `shut` when the bot may not be there.

    docs.discord.com/developers/resources/channel#channel-object
    """

    id: int
    name: str
    type: int
    guild: "Guild | None" = None
    parent: "Channel | None" = None
    recipient: User | None = None
    owner_id: int | None = None
    shut: bool = False
    messages: dict[int, "Message"] = field(default_factory=dict)

    @property
    def root(self) -> "Channel":
        """The channel that a thread hangs on, or itself."""
        return self.parent or self

    @property
    def names(self) -> set[str]:
        """All that a fault may call it."""
        return {self.name, str(self.id), self.root.name, str(self.root.id)}

    def as_json(self) -> dict[str, Any]:
        last = max(self.messages, default=None)
        body: dict[str, Any] = {
            "id": str(self.id),
            "type": self.type,
            "last_message_id": None if last is None else str(last),
            "flags": 0,
        }
        if self.type == DIRECT:
            return {**body, "recipients": [self.recipient.as_json()] if self.recipient else []}
        body |= {"name": self.name, "guild_id": str(self.guild.id) if self.guild else None}
        body |= {"rate_limit_per_user": 0, "nsfw": False}
        if self.parent is None:
            return {**body, "topic": None, "position": 0, "parent_id": None, "permission_overwrites": []}
        return {**body, **self._thread_json(self.parent)}

    def _thread_json(self, parent: "Channel") -> dict[str, Any]:
        made = timestamp(moment_of(self.id))
        metadata = {
            "archived": False, "auto_archive_duration": 1440, "archive_timestamp": made,
            "locked": False, "create_timestamp": made,
        }  # fmt: skip
        return {
            "parent_id": str(parent.id), "owner_id": str(self.owner_id), "thread_metadata": metadata,
            "message_count": len(self.messages), "member_count": 1, "total_message_sent": len(self.messages),
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Guild:
    """A server; the role of everyone has its id (.../resources/guild#guild-object)."""

    id: int
    name: str
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, User] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "id": str(self.id), "name": self.name, "icon": None, "splash": None, "discovery_splash": None,
            "owner_id": "1", "afk_channel_id": None, "afk_timeout": 300, "verification_level": 0,
            "default_message_notifications": 0, "explicit_content_filter": 0, "features": [], "emojis": [],
            "stickers": [], "mfa_level": 0, "application_id": None, "system_channel_id": None,
            "system_channel_flags": 0, "rules_channel_id": None, "vanity_url_code": None, "description": None,
            "banner": None, "premium_tier": 0, "preferred_locale": "en-US", "public_updates_channel_id": None,
            "nsfw_level": 0, "premium_progress_bar_enabled": False, "safety_alerts_channel_id": None,
            "roles": [self._everyone()],
        }  # fmt: skip

    def as_created(self, *, members: list[User]) -> dict[str, Any]:
        """Return what GUILD_CREATE tells, with these members (.../events/gateway-events#guild-create)."""
        channels = [channel for channel in self.channels.values() if not channel.shut]
        return {
            **self.as_json(), "joined_at": timestamp(moment_of(self.id)), "large": False,
            "member_count": len(self.members), "voice_states": [], "presences": [],
            "stage_instances": [], "guild_scheduled_events": [], "soundboard_sounds": [],
            "members": [{"user": user.as_json(), **user.as_member()} for user in members],
            "channels": [channel.as_json() for channel in channels if channel.parent is None],
            "threads": [channel.as_json() for channel in channels if channel.parent is not None],
        }  # fmt: skip

    def _everyone(self) -> dict[str, Any]:
        return {
            "id": str(self.id), "name": "@everyone", "color": 0, "hoist": False, "icon": None, "flags": 0,
            "unicode_emoji": None, "position": 0, "permissions": PERMISSIONS, "managed": False,
            "mentionable": False,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        }  # fmt: skip
