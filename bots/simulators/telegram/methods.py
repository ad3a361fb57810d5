"""The Bot API's methods about the bot, its updates, commands and chats (core.telegram.org/bots/api).

Each takes a Call and returns what stands under `result`; refusals are raised with the platform's words.
Those about messages are in `messages`.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from bots.simulators.telegram.bot import SimulatedBot
from bots.simulators.telegram.params import ApiError, Params, bad_request
from bots.simulators.telegram.webhook import Webhook
from bots.simulators.telegram.world import Chat, World, is_number

ACTIONS = (
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice",
    "upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note",
)  # fmt: skip
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}")
SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method by a bot."""

    world: World
    bot: SimulatedBot
    params: Params
    strict_chats: bool = False


Method = Callable[[Call], Awaitable[Any]]


def chat_of(call: Call) -> Chat:
    """Return the chat that `chat_id` names; chats nobody spoke in exist unless `strict_chats` is set."""
    name = call.params.text("chat_id")
    if not name:
        raise bad_request("chat_id is empty")
    chat = call.world.find(name)
    if chat is None and is_number(name) and int(name) != 0 and not call.strict_chats:
        chat = call.world.open(int(name))
    if chat is None:
        raise bad_request("chat not found")
    return chat


async def get_me(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getme"""
    return {
        **call.bot.user.as_json(),
        "can_join_groups": True,
        "can_read_all_group_messages": not call.bot.privacy,
        "supports_inline_queries": False,
    }


async def get_updates(call: Call) -> list[dict[str, Any]]:
    """core.telegram.org/bots/api#getupdates"""
    params, queue = call.params, call.bot.queue
    read_allowed_updates(call)
    limit = params.integer("limit")
    batch = await queue.poll(
        offset=params.integer("offset") or 0,
        limit=min(max(100 if limit is None else limit, 1), 100),
        timeout=params.integer("timeout") or 0,
    )
    return [update.as_json() for update in batch]


def read_allowed_updates(call: Call) -> None:
    """Keep the list for later calls too; an empty one means the default, a missing one the last."""
    allowed = call.params.json("allowed_updates")
    if allowed is None:
        return
    if not isinstance(allowed, list):
        raise bad_request("can't parse allowed updates JSON object")
    call.bot.queue.allowed = [str(kind) for kind in allowed]


async def set_webhook(call: Call) -> bool:
    """core.telegram.org/bots/api#setwebhook; plain http is taken, as by self-hosted servers in local mode."""
    url, secret = call.params.text("url"), call.params.text("secret_token")
    if not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    if url and not url.startswith(("https://", "http://")):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    read_allowed_updates(call)
    if call.params.flag("drop_pending_updates"):
        call.bot.queue.clear()
    webhook = None
    if url:
        connections = call.params.integer("max_connections") or 40
        webhook = Webhook(url=url, secret=secret, max_connections=connections)
    await call.bot.set_webhook(webhook)
    return True


async def delete_webhook(call: Call) -> bool:
    """core.telegram.org/bots/api#deletewebhook"""
    if call.params.flag("drop_pending_updates"):
        call.bot.queue.clear()
    await call.bot.set_webhook(None)
    return True


async def get_webhook_info(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getwebhookinfo"""
    webhook = call.bot.webhook or Webhook(url="")
    return webhook.as_json(call.bot.queue)


async def send_chat_action(call: Call) -> bool:
    """core.telegram.org/bots/api#sendchataction"""
    chat_of(call)
    if call.params.text("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    return True


def commands_key(call: Call) -> tuple[str, str]:
    scope = call.params.json("scope") or {"type": "default"}
    return orjson.dumps(scope, option=orjson.OPT_SORT_KEYS).decode(), call.params.text("language_code")


async def set_my_commands(call: Call) -> bool:
    """core.telegram.org/bots/api#setmycommands"""
    commands = call.params.objects("commands")
    if commands is None:
        raise bad_request("can't parse commands: expected an Array of BotCommand")
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    kept = []
    for command in commands:
        name = str(command.get("command", "")).removeprefix("/").lower()
        description = str(command.get("description", "")).strip()
        if not COMMAND_NAME.fullmatch(name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(description) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        kept.append({"command": name, "description": description})
    call.bot.commands[commands_key(call)] = kept
    return True


async def get_my_commands(call: Call) -> list[dict[str, Any]]:
    """core.telegram.org/bots/api#getmycommands"""
    return call.bot.commands.get(commands_key(call), [])


async def delete_my_commands(call: Call) -> bool:
    """core.telegram.org/bots/api#deletemycommands"""
    call.bot.commands.pop(commands_key(call), None)
    return True


async def get_chat(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getchat"""
    return {
        **chat_of(call).as_json(),
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(GIFTS, False),
    }


async def get_chat_member(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#getchatmember: who has spoken is a member, all others have left."""
    chat, user_id = chat_of(call), call.params.integer("user_id")
    if user_id == call.bot.user.id:
        return {"status": "member", "user": call.bot.user.as_json()}
    member = chat.members.get(user_id or 0)
    if member is None:
        raise bad_request("member not found")
    return {"status": "member", "user": member.as_json()}


async def answer_callback_query(call: Call) -> bool:
    """core.telegram.org/bots/api#answercallbackquery"""
    query = call.params.text("callback_query_id")
    if query not in call.bot.callbacks:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    call.bot.callbacks.remove(query)
    return True


def not_found() -> ApiError:
    return ApiError(404, "Not Found")
