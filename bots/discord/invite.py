"""How the bot gets into a server, and what may be missing once it is there.

https://docs.discord.com/developers/topics/oauth2#bot-authorization-flow
https://docs.discord.com/developers/topics/permissions#permissions-bitwise-permission-flags
"""

from typing import Any
from urllib.parse import urlencode

from bots.discord.wire import Line
from core.errors import ChannelError

PERMISSIONS = {
    "View Channels": 1 << 10,
    "Send Messages": 1 << 11,
    "Read Message History": 1 << 16,
    "Add Reactions": 1 << 6,
    "Send Messages in Threads": 1 << 38,
}
CONTENT_INTENT_FLAGS = 1 << 18 | 1 << 19
PORTAL = "https://discord.com/developers/applications"
WHY = f"""\
The permissions: {", ".join(PERMISSIONS)}.
The scopes: `bot` lets it in, `applications.commands` gives it slash commands.
The intents: servers, server messages, direct messages; none of them is privileged. Direct messages, mentions
and commands carry their text without the message content intent. Only to read `!help`, or a reply that does
not mention it, switch on Message Content Intent under Bot at
{PORTAL}
and set PARLEY_DISCORD__MESSAGE_CONTENT=true."""


def invite_url(application: str) -> str:
    """The page where somebody who manages a server lets the bot in."""
    asked = {
        "client_id": application,
        "permissions": sum(PERMISSIONS.values()),
        "scope": "bot applications.commands",
        "integration_type": 0,
    }
    return f"https://discord.com/oauth2/authorize?{urlencode(asked)}"


async def missing(line: Line, *, message_content: bool) -> list[str]:
    """What an operator should know of this application, a line each. Raises `ChannelError`."""
    application: dict[str, Any] = await line.call("GET", "/applications/@me")
    found = []
    if message_content and not int(application.get("flags") or 0) & CONTENT_INTENT_FLAGS:
        found.append(f"the message content intent is not given: switch it on at {PORTAL} under Bot")
    if application.get("interactions_endpoint_url"):
        found.append(
            "slash commands go to an Interactions Endpoint URL instead of the gateway: empty that field at"
            f" {PORTAL} under General Information"
        )
    try:
        if not await line.call("GET", "/users/@me/guilds"):
            found.append("it is in no server yet: `parley channels invite discord` prints the link")
    except ChannelError:
        pass  # it may be listed only for some applications
    return found
