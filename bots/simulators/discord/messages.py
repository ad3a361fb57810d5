"""A message and what a sender asks for one (docs.discord.com/developers/resources/message).

The text lives in the ledger's entry, so that what readers see and what the API returns are one thing.
"""

from dataclasses import dataclass, field
from typing import Any

from bots.simulators.discord.errors import ApiError, invalid_form, too_long
from bots.simulators.discord.mentions import AllowedMentions, Pings, read_allowed_mentions
from bots.simulators.discord.people import Channel, User
from bots.simulators.discord.snowflakes import timestamp
from bots.simulators.ledger import Seen

LONGEST_TEXT = 2000
LONGEST_NONCE = 25
DEFAULT, REPLY, COMMAND = 0, 19, 20
# docs.discord.com/developers/resources/message#message-object-message-flags
SUPPRESS_EMBEDS, EPHEMERAL, LOADING, SILENT = 1 << 2, 1 << 6, 1 << 7, 1 << 12
SETTABLE = SUPPRESS_EMBEDS | SILENT


@dataclass(slots=True, kw_only=True)
class Draft:
    """What a form wants to be said; read by `read_draft`."""

    content: str = ""
    flags: int = 0
    allowed: AllowedMentions = field(default_factory=AllowedMentions)
    embeds: list[Any] = field(default_factory=list)
    components: list[Any] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not (self.content or self.embeds or self.components or self.attachments)


def read_draft(body: dict[str, Any], *, settable: int = SETTABLE) -> Draft:
    """Read what a send, an edit or an answer to a command share; raises ApiError 50035.

    Text is counted as given and loses its blank ends, as the platform does.
    """
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        raise invalid_form("content", "STRING_TYPE_CONVERT", f"Could not interpret {content!r} as string.")
    if content is not None and len(content) > LONGEST_TEXT:
        raise too_long("content", LONGEST_TEXT)
    return Draft(
        content=(content or "").strip(),
        flags=int(body.get("flags") or 0) & settable,
        allowed=read_allowed_mentions(body.get("allowed_mentions")),
        embeds=list(body.get("embeds") or ()),
        components=list(body.get("components") or ()),
        attachments=list(body.get("attachments") or ()),
    )


def check_not_empty(draft: Draft) -> None:
    if draft.empty:
        raise ApiError(400, 50006, "Cannot send an empty message")


@dataclass(slots=True, kw_only=True)
class Message:
    """A message in its channel; `content` is in the newest version of `seen`.

    docs.discord.com/developers/resources/message#message-object
    """

    id: int
    channel: Channel
    author: User
    seen: Seen
    type: int = DEFAULT
    flags: int = 0
    reference: "Message | None" = None
    reference_id: int | None = None
    mentions: tuple[User, ...] = ()
    pings: Pings = field(default_factory=Pings)
    embeds: list[Any] = field(default_factory=list)
    components: list[Any] = field(default_factory=list)
    attachments: list[Any] = field(default_factory=list)
    thread: Channel | None = None
    interaction: dict[str, Any] | None = None

    @property
    def content(self) -> str:
        return self.seen.text

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    def shows_content_to(self, bot: User) -> bool:
        """Tell whether a bot sees the text without the privileged intent: own, direct, and mentioning it.

        docs.discord.com/developers/events/gateway#message-content-intent
        """
        return self.channel.guild is None or self.author.id == bot.id or bot in self.mentions

    def as_json(self, viewer: User, *, content: bool, with_reference: bool = True) -> dict[str, Any]:
        """Return it as a bot sees it; without `content`, texts stay empty where they need the intent."""
        shown = content or self.shows_content_to(viewer)
        last = self.seen.versions[-1]
        body: dict[str, Any] = {
            "id": str(self.id), "channel_id": str(self.channel.id), "type": self.type, "flags": self.flags,
            "author": self.author.as_json(), "content": last.text if shown else "",
            "timestamp": timestamp(self.seen.versions[0].at),
            "edited_timestamp": timestamp(last.at) if self.seen.edits and not self.flags & LOADING else None,
            "tts": False, "pinned": False, "mention_everyone": bool(self.pings.everybody),
            "mentions": [user.as_json() for user in self.mentions],
            "mention_roles": [str(role) for role in self.pings.roles],
            "embeds": self.embeds if shown else [], "components": self.components if shown else [],
            "attachments": self.attachments if shown else [],
        }  # fmt: skip
        if self.reference_id is not None:
            body["message_reference"] = self._reference_json()
            if with_reference:
                body["referenced_message"] = self._referenced_json(viewer, content)
        if self.thread is not None:
            body["thread"] = self.thread.as_json()
        if self.interaction is not None:
            body |= {"interaction_metadata": self.interaction, "application_id": str(viewer.id)}
            body["webhook_id"] = str(viewer.id)
        if reactions := self._reactions_json(viewer):
            body["reactions"] = reactions
        return body

    def as_event(self, viewer: User, *, content: bool, nonce: str | int | None = None) -> dict[str, Any]:
        """Return it with what events have beyond it (.../events/gateway-events#message-create)."""
        body = self.as_json(viewer, content=content)
        if (guild := self.channel.guild) is not None:
            body |= {"guild_id": str(guild.id), "member": self.author.as_member()}
            body["mentions"] = [{**user.as_json(), "member": user.as_member()} for user in self.mentions]
        return body if nonce is None else {**body, "nonce": nonce}

    def _reference_json(self) -> dict[str, Any]:
        body = {"type": 0, "message_id": str(self.reference_id), "channel_id": str(self.channel.id)}
        guild = self.channel.guild
        return body if guild is None else {**body, "guild_id": str(guild.id)}

    def _referenced_json(self, viewer: User, content: bool) -> dict[str, Any] | None:
        target = self.reference
        if target is None or target.seen.deleted_at is not None:
            return None
        return target.as_json(viewer, content=content, with_reference=False)

    def _reactions_json(self, viewer: User) -> list[dict[str, Any]]:
        by_emoji: dict[str, list[int]] = {}
        for reaction in self.seen.extra["reactions"]:
            by_emoji.setdefault(reaction["emoji"], []).append(int(reaction["user_id"]))
        return [
            {
                "count": len(users), "count_details": {"burst": 0, "normal": len(users)},
                "me": viewer.id in users, "me_burst": False, "burst_colors": [], "emoji": emoji_json(emoji),
            }
            for emoji, users in by_emoji.items()
        ]  # fmt: skip


def emoji_json(emoji: str) -> dict[str, Any]:
    """Return a standard emoji, or a server's own given as `name:id`."""
    name, _, number = emoji.partition(":")
    return {"id": number or None, "name": name}
