"""Which events a session asked for (docs.discord.com/developers/events/gateway#gateway-intents).

An intent is a bit; three of them must be switched on for the application before a session may ask for them.
"""

from dataclasses import dataclass

GUILDS = 1 << 0
GUILD_MEMBERS = 1 << 1
GUILD_PRESENCES = 1 << 8
GUILD_MESSAGES = 1 << 9
GUILD_MESSAGE_REACTIONS = 1 << 10
GUILD_MESSAGE_TYPING = 1 << 11
DIRECT_MESSAGES = 1 << 12
DIRECT_MESSAGE_REACTIONS = 1 << 13
DIRECT_MESSAGE_TYPING = 1 << 14
MESSAGE_CONTENT = 1 << 15

PRIVILEGED = GUILD_MEMBERS | GUILD_PRESENCES | MESSAGE_CONTENT
# Bits 0 to 16, 20, 21, 24 and 25 have a meaning; any other is an invalid intent.
KNOWN = (1 << 17) - 1 | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25
# The application flags of unverified apps that have a privileged intent switched on
# (docs.discord.com/developers/resources/application#application-object-application-flags).
APPLICATION_FLAGS = {GUILD_PRESENCES: 1 << 13, GUILD_MEMBERS: 1 << 15, MESSAGE_CONTENT: 1 << 19}


@dataclass(frozen=True, slots=True)
class Scope:
    """What an event needs: one intent in servers, another in direct messages; 0 needs none."""

    guild: int
    direct: int

    def intent(self, *, in_guild: bool) -> int:
        return self.guild if in_guild else self.direct


MESSAGES = Scope(GUILD_MESSAGES, DIRECT_MESSAGES)
REACTIONS = Scope(GUILD_MESSAGE_REACTIONS, DIRECT_MESSAGE_REACTIONS)
TYPING = Scope(GUILD_MESSAGE_TYPING, DIRECT_MESSAGE_TYPING)


def application_flags(allowed: int) -> int:
    """Return the application's flags when these privileged intents are switched on."""
    return sum(flag for intent, flag in APPLICATION_FLAGS.items() if allowed & intent)
