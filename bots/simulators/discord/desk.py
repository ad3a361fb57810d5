"""Commands that users called and that wait for an answer.

docs.discord.com/developers/interactions/receiving-and-responding.
The first answer must come within 3 seconds; from then the token is good for 15 minutes.
"""

from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any

from bots.simulators.clock import TurnableClock
from bots.simulators.discord.errors import ApiError, unknown
from bots.simulators.discord.messages import Message
from bots.simulators.discord.people import PERMISSIONS, Channel, User

DEADLINE = 3.0
TOKEN_LIFE = 900.0
APPLICATION_COMMAND = 2
LARGEST_FILE = 10 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Interaction:
    """A command as a user called it; `original` is the message that answers it."""

    id: int
    user: User
    channel: Channel
    command: dict[str, Any]
    options: list[dict[str, Any]]
    at: float
    token: str = field(default_factory=lambda: token_urlsafe(60), repr=False)
    answered: bool = False
    original: Message | None = None
    followups: dict[int, Message] = field(default_factory=dict)

    def metadata(self) -> dict[str, Any]:
        """Return what its answers say about it (.../message#message-interaction-metadata-object)."""
        return {
            "id": str(self.id), "type": APPLICATION_COMMAND, "name": self.command["name"], "command_type": 1,
            "user": self.user.as_json(), "authorizing_integration_owners": self._owners(),
        }  # fmt: skip

    def as_json(self, application: User) -> dict[str, Any]:
        guild = self.channel.guild
        body: dict[str, Any] = {
            "id": str(self.id), "application_id": str(application.id), "type": APPLICATION_COMMAND,
            "token": self.token, "version": 1, "locale": "en-US", "channel_id": str(self.channel.id),
            "channel": {**self.channel.as_json(), "permissions": PERMISSIONS}, "entitlements": [],
            "app_permissions": PERMISSIONS, "authorizing_integration_owners": self._owners(),
            "context": 1 if guild is None else 0, "attachment_size_limit": LARGEST_FILE,
            "data": {
                "id": self.command["id"], "name": self.command["name"], "type": 1, "options": self.options,
            },
        }  # fmt: skip
        if guild is None:
            return {**body, "user": self.user.as_json()}
        member = {"user": self.user.as_json(), **self.user.as_member(), "permissions": PERMISSIONS}
        guild_json = {"id": str(guild.id), "features": [], "locale": "en-US"}
        return {
            **body, "member": member, "guild_id": str(guild.id), "guild": guild_json, "guild_locale": "en-US"
        }  # fmt: skip

    def _owners(self) -> dict[str, str]:
        return {"0": str(self.channel.guild.id) if self.channel.guild else "0"}


class Desk:
    """The interactions so far, and whether they can still be answered."""

    def __init__(self, clock: TurnableClock) -> None:
        self.interactions: list[Interaction] = []
        self._clock = clock

    def open(self, interaction: Interaction) -> None:
        self.interactions.append(interaction)

    def find(self, token: str) -> Interaction | None:
        return next((each for each in self.interactions if each.token == token), None)

    def unanswered(self) -> list[Interaction]:
        """Return those whose users were told that the application did not respond."""
        late = self._clock.now() - DEADLINE
        return [each for each in self.interactions if not each.answered and each.at < late]

    def to_answer(self, number: int, token: str) -> Interaction:
        """Return the interaction that gets its first answer; raises ApiError 10062 or 40060."""
        asked = self.find(token)
        if asked is not None and asked.id == number and asked.answered:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        if asked is None or asked.id != number or self._clock.now() - asked.at > DEADLINE:
            raise unknown("interaction", 10062)
        return asked

    def to_follow(self, token: str) -> Interaction:
        """Return the answered interaction of a token; raises ApiError 10015 or 50027."""
        asked = self.find(token)
        if asked is not None and self._clock.now() - asked.at > TOKEN_LIFE:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        if asked is None or not asked.answered:
            raise unknown("Webhook", 10015)
        return asked
