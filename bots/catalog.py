"""Channel name -> factory: which channels there are, and which of them have what they need to start.

A channel from another package joins by an entry point of the group `parley.channels`, whose object is a
factory like the ones here. Channels are imported only when they start.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

import structlog

from config.settings import Settings
from core.errors import ParleyError
from core.ports import ChannelAdapter

log = structlog.get_logger(__name__)

Factory = Callable[[Settings], ChannelAdapter | None]
"""Builds the channel, or gives None where its credentials are not set."""


def telegram(settings: Settings) -> ChannelAdapter | None:
    if settings.telegram.token is None:
        return None
    from bots.telegram.adapter import TelegramChannel

    return TelegramChannel(
        settings.telegram.token.get_secret_value(),
        settings.telegram.api_url,
        poll_seconds=settings.telegram.poll_seconds,
        stream=settings.telegram.stream,
        edit_seconds=(settings.telegram.edit_private_seconds, settings.telegram.edit_group_seconds),
    )


def slack(settings: Settings) -> ChannelAdapter | None:
    """One of its secrets is enough to be wanted; what is missing then is said when it connects."""
    given = settings.slack
    bot_token, app_token, signing_secret = (
        secret.get_secret_value() if secret else ""
        for secret in (given.bot_token, given.app_token, given.signing_secret)
    )
    if not (bot_token or app_token or signing_secret):
        return None
    from bots.slack.adapter import SlackChannel

    return SlackChannel(bot_token, app_token, signing_secret, given.api_url)


def discord(settings: Settings) -> ChannelAdapter | None:
    given = settings.discord
    if given.token is None:
        return None
    from bots.discord.adapter import DiscordChannel

    return DiscordChannel(
        given.token.get_secret_value(),
        given.api_url,
        given.gateway_url,
        message_content=given.message_content,
        stream=given.stream,
        edit_seconds=(given.edit_direct_seconds, given.edit_server_seconds),
    )


def factories() -> Mapping[str, Factory]:
    """Our own channels first; a plug-in may not take their names."""
    found: dict[str, Factory] = {point.name: point.load() for point in entry_points(group="parley.channels")}
    return {**found, "telegram": telegram, "discord": discord, "slack": slack}


def build_channels(settings: Settings) -> list[ChannelAdapter]:
    """Every channel that has credentials. One that cannot be built is told, and stops no other."""
    built = []
    for name, factory in factories().items():
        try:
            adapter = factory(settings)
        except ParleyError:
            raise
        except Exception:
            log.exception("channel cannot be built", channel=name)
            continue
        if adapter is not None:
            built.append(adapter)
    return built
