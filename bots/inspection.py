"""Looks at each platform as an operator would: is the token good, and what is not switched on there.

Nothing is started and nothing is sent to anybody. What a plug-in's channel lacks, its `connect` must say.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from bots.catalog import factories
from config.settings import Settings
from core.errors import ChannelError
from core.ports import ChannelAdapter

Look = Callable[[Settings], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What was found of one channel: its state, who we are there or why not, and what is missing."""

    name: str
    state: str
    detail: str
    missing: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        return [f"{self.name}: {self.state}: {self.detail}", *(f"  missing: {one}" for one in self.missing)]


async def inspect(settings: Settings, name: str) -> Inspection:
    """Call the platform. "unset" without credentials, "failed" where it does not let us in, else "ok"."""
    adapter = factories()[name](settings)
    if adapter is None:
        return Inspection(name=name, state="unset", detail="no credentials; see .env.example")
    try:
        identity = await adapter.connect()
        look = LOOKS.get(name)
        missing = tuple(await look(settings)) if look else ()
    except ChannelError as error:
        return Inspection(name=name, state="failed", detail=str(error))
    finally:
        await _close(adapter)
    return Inspection(name=name, state="ok", detail=f"@{identity.handle} ({identity.name})", missing=missing)


async def _close(adapter: ChannelAdapter) -> None:
    close = getattr(adapter, "close", None)
    if close is not None:
        await close()


async def _discord(settings: Settings) -> Sequence[str]:
    from bots.discord.invite import missing
    from bots.discord.wire import Line, Pace

    given = settings.discord
    assert given.token is not None
    token = given.token.get_secret_value()
    line = Line(token, given.api_url, None, message_content=False, pace=Pace())
    try:
        await line.log_in()
        return await missing(line, message_content=given.message_content)
    finally:
        await line.close()


async def _telegram(settings: Settings) -> Sequence[str]:
    """https://core.telegram.org/bots/features#privacy-mode"""
    from bots.telegram.errors import translated
    from bots.telegram.wire import Line

    assert settings.telegram.token is not None
    line = Line(settings.telegram.token.get_secret_value(), settings.telegram.api_url, answer_seconds=20.0)
    await line.open_clients()
    try:
        with translated("getMe"):
            user = await line.get_me()
    finally:
        await line.close_clients()
    if user.can_join_groups is False:
        return ["it may not join groups: allow it with /setjoingroups at @BotFather"]
    if user.can_read_all_group_messages is False:
        return [
            "privacy mode is on, which is well: in groups it hears commands, mentions and replies. To let it"
            " hear `!help` too, switch it off with /setprivacy at @BotFather and add it to the group again"
        ]
    return []


async def _slack(settings: Settings) -> Sequence[str]:
    """https://docs.slack.dev/authentication/installing-with-oauth#scopes"""
    from bots.slack.adapter import NO_DOOR
    from bots.slack.errors import translated
    from bots.slack.wire import Line

    given = settings.slack
    no_door = [] if given.app_token or given.signing_secret else [NO_DOOR]
    assert given.bot_token is not None
    line = Line(given.bot_token.get_secret_value(), given.api_url, answer_seconds=20.0)
    line.open_clients()
    try:
        with translated("auth.test"):
            told = await line.client.auth_test()
    finally:
        await line.close_clients()
    headers = {str(name).lower(): str(value) for name, value in told.headers.items()}
    if "x-oauth-scopes" not in headers:
        return no_door
    granted = {scope.strip() for scope in headers["x-oauth-scopes"].split(",")}
    return no_door + [
        f"the scope {scope}: add it at https://api.slack.com/apps under OAuth & Permissions, and reinstall"
        for scope in SLACK_SCOPES
        if scope not in granted
    ]


LOOKS: Mapping[str, Look] = {"discord": _discord, "telegram": _telegram, "slack": _slack}
SLACK_SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "chat:write",
    "commands",
    "groups:history",
    "im:history",
    "mpim:history",
    "reactions:write",
)
