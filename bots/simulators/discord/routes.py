"""The REST routes this platform knows, by the names that its documentation gives them.

docs.discord.com/developers/reference#api-versioning: all of them stand below `/api/v10`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from bots.simulators.discord import account, interactions, places, posting
from bots.simulators.discord.calls import Endpoint

ROOT = "/api/v10"
VARIABLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """A verb and a path; `open` ones need no bot token, since a token stands in their path."""

    name: str
    verb: str
    pattern: re.Pattern[str]
    endpoint: Endpoint
    status: int = 200
    open: bool = False


COMMANDS = "/applications/{application}/commands"
GUILD_COMMANDS = "/applications/{application}/guilds/{guild}/commands"
CHANNEL = "/channels/{channel}"
MESSAGES = "/channels/{channel}/messages"
MESSAGE = "/channels/{channel}/messages/{message}"
REACTION = "/channels/{channel}/messages/{message}/reactions/{emoji}/@me"
WEBHOOK = "/webhooks/{application}/{token}"
ANSWER = "/webhooks/{application}/{token}/messages/{message}"
TABLE: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/users/@me", account.get_current_user),
    ("POST", "/users/@me/channels", account.create_dm),
    ("GET", "/users/@me/guilds", account.list_current_user_guilds),
    ("GET", "/users/{user}", account.get_user),
    ("GET", "/applications/@me", account.get_current_application),
    ("GET", "/oauth2/applications/@me", account.get_current_application),
    ("GET", "/gateway/bot", account.get_gateway_bot),
    ("GET", "/guilds/{guild}", account.get_guild),
    ("GET", "/guilds/{guild}/channels", account.list_guild_channels),
    ("GET", "/guilds/{guild}/members/{user}", account.get_guild_member),
    ("GET", CHANNEL, places.get_channel),
    ("POST", f"{CHANNEL}/typing", places.trigger_typing_indicator),
    ("PUT", f"{CHANNEL}/thread-members/@me", places.join_thread),
    ("GET", MESSAGES, posting.get_channel_messages),
    ("POST", MESSAGES, posting.create_message),
    ("GET", MESSAGE, posting.get_channel_message),
    ("PATCH", MESSAGE, posting.edit_message),
    ("DELETE", MESSAGE, posting.delete_message),
    ("PUT", REACTION, posting.create_reaction),
    ("DELETE", REACTION, posting.delete_own_reaction),
    *(
        entry
        for path in (COMMANDS, GUILD_COMMANDS)
        for entry in (
            ("GET", path, account.list_commands),
            ("PUT", path, account.overwrite_commands),
            ("POST", path, account.create_command),
            ("DELETE", f"{path}/{{command}}", account.delete_command),
        )
    ),
)
CREATING: tuple[tuple[str, str, Endpoint], ...] = (
    ("POST", f"{MESSAGE}/threads", places.start_thread_from_message),
    ("POST", f"{CHANNEL}/threads", places.start_thread_without_message),
)
OPEN: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/gateway", account.get_gateway),
    ("POST", "/interactions/{interaction}/{token}/callback", interactions.create_interaction_response),
    ("POST", WEBHOOK, interactions.create_followup_message),
    ("GET", ANSWER, interactions.get_webhook_message),
    ("PATCH", ANSWER, interactions.edit_webhook_message),
    ("DELETE", ANSWER, interactions.delete_webhook_message),
)


def all_routes() -> tuple[Route, ...]:
    """Return every route; a fault or a recorded call names one as `create_message`."""
    return (
        *(Route(each.__name__, verb, pattern_of(path), each) for verb, path, each in TABLE),
        *(Route(each.__name__, verb, pattern_of(path), each, status=201) for verb, path, each in CREATING),
        *(Route(each.__name__, verb, pattern_of(path), each, open=True) for verb, path, each in OPEN),
    )


def pattern_of(path: str) -> re.Pattern[str]:
    return re.compile(VARIABLE.sub(r"(?P<\1>[^/]+)", path))


def match(routes: Iterable[Route], verb: str, path: str) -> tuple[Route | None, dict[str, str], bool]:
    """Return the route and its variables, and whether the path is known at all, though for another verb."""
    known = False
    for route in routes:
        if (found := route.pattern.fullmatch(path)) is not None:
            known = True
            if route.verb == verb:
                return route, {name: unquote(value) for name, value in found.groupdict().items()}, True
    return None, {}, known
