"""Endpoints about the bot, its application, servers, people and commands.

docs.discord.com/developers/resources/user, .../resources/application, .../events/gateway,
.../resources/guild and .../interactions/application-commands
"""

from typing import Any

from bots.simulators.discord.calls import Call
from bots.simulators.discord.commands import GLOBAL
from bots.simulators.discord.errors import ApiError, cannot_send, not_a_snowflake, unknown
from bots.simulators.discord.people import Guild
from bots.simulators.discord.snowflakes import is_id


async def get_current_user(call: Call) -> Any:
    return {**call.world.bot.as_json(), "verified": True, "email": None, "mfa_enabled": True, "flags": 0}


async def get_user(call: Call) -> Any:
    user = call.world.users.get(call.id("user"))
    if user is None:
        raise unknown("User", 10013)
    return user.as_json()


async def get_current_application(call: Call) -> Any:
    """docs.discord.com/developers/resources/application#application-object"""
    bot = call.world.bot
    owner = {**bot.as_json(), "id": "1", "username": "owner", "bot": False, "discriminator": "0"}
    return {
        "id": str(bot.id), "name": bot.name, "icon": None, "description": "", "bot_public": True,
        "bot_require_code_grant": False, "verify_key": "0" * 64, "owner": owner, "team": None,
        "flags": call.house.gateway.flags, "bot": bot.as_json(), "summary": "", "hook": True, "tags": [],
        "interactions_endpoint_url": None, "redirect_uris": [], "event_webhooks_status": 1,
        "approximate_guild_count": len(call.world.guilds), "integration_types_config": {"0": {}},
    }  # fmt: skip


async def get_gateway(call: Call) -> Any:
    return {"url": call.house.gateway.url}


async def get_gateway_bot(call: Call) -> Any:
    """docs.discord.com/developers/events/gateway#get-gateway-bot"""
    gateway = call.house.gateway
    return {"url": gateway.url, "shards": 1, "session_start_limit": gateway.start_limit()}


async def list_current_user_guilds(call: Call) -> Any:
    return [guild.as_json() for guild in call.world.guilds.values()]


async def get_guild(call: Call) -> Any:
    return guild_of(call).as_json()


async def list_guild_channels(call: Call) -> Any:
    return [
        each.as_json() for each in guild_of(call).channels.values() if each.parent is None and not each.shut
    ]


async def get_guild_member(call: Call) -> Any:
    member = guild_of(call).members.get(call.id("user"))
    if member is None:
        raise unknown("Member", 10007)
    return {"user": member.as_json(), **member.as_member()}


async def create_dm(call: Call) -> Any:
    """docs.discord.com/developers/resources/user#create-dm"""
    given = str(call.body.get("recipient_id"))
    if not is_id(given):
        raise not_a_snowflake("recipient_id", given)
    user = call.world.users.get(int(given))
    if user is None:
        raise ApiError(400, 50033, "Invalid Recipient(s)")
    if user.is_bot:
        raise cannot_send()
    return call.world.open_direct(user).as_json()


async def list_commands(call: Call) -> Any:
    return call.house.commands.listed(scope_of(call))


async def overwrite_commands(call: Call) -> Any:
    """.../application-commands#bulk-overwrite-global-application-commands"""
    if call.listed is None:
        raise ApiError(400, 50035, "Invalid Form Body", errors={"_errors": []})
    return call.house.commands.replace(scope_of(call), call.listed)


async def create_command(call: Call) -> Any:
    return call.house.commands.put(scope_of(call), call.body)


async def delete_command(call: Call) -> None:
    call.house.commands.remove(scope_of(call), call.path["command"])


def scope_of(call: Call) -> int:
    """Return the server whose commands are meant, or 0 for all; raises ApiError for a foreign application."""
    if call.id("application") != call.world.bot.id:
        raise ApiError(403, 20012, "You are not authorized to perform this action on this application")
    return guild_of(call).id if "guild" in call.path else GLOBAL


def guild_of(call: Call) -> Guild:
    guild = call.world.guilds.get(call.id("guild"))
    if guild is None:
        raise unknown("Guild", 10004)
    return guild
