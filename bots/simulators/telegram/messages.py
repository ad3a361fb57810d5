"""The Bot API methods about messages (core.telegram.org/bots/api#available-methods), and the table of all."""

from typing import Any

from bots.simulators.telegram.entities import (
    BadMarkup,
    Formatted,
    Parser,
    detect,
    given_entities,
    settle,
    utf16_length,
)
from bots.simulators.telegram.html import parse_html
from bots.simulators.telegram.markdown import parse_markdown_v2
from bots.simulators.telegram.methods import (
    Call,
    Method,
    answer_callback_query,
    chat_of,
    delete_my_commands,
    delete_webhook,
    get_chat,
    get_chat_member,
    get_me,
    get_my_commands,
    get_updates,
    get_webhook_info,
    send_chat_action,
    set_my_commands,
    set_webhook,
)
from bots.simulators.telegram.params import Params, bad_request
from bots.simulators.telegram.world import Chat, Message

LONGEST_TEXT = 4096
PARSERS: dict[str, Parser] = {"html": parse_html, "markdownv2": parse_markdown_v2}
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


def formatted_text(params: Params) -> Formatted:
    """Return what people will see of `text`: 1 to 4096 UTF-16 units after parsing (#sendmessage)."""
    source, mode = params.text("text"), params.text("parse_mode").lower()
    if not source:
        raise bad_request("message text is empty")
    entities = params.objects("entities")
    try:
        if mode and mode != "none":
            if mode not in PARSERS:
                raise bad_request("unsupported parse_mode")
            formatted = PARSERS[mode](source)
        else:
            formatted = given_entities(source, entities) if entities else settle(source, ())
    except BadMarkup as error:
        raise bad_request(f"can't parse entities: {error}") from None
    if not formatted.text:
        raise bad_request("text must be non-empty")
    if utf16_length(formatted.text) > LONGEST_TEXT:
        raise bad_request("message is too long")
    return formatted if formatted.entities else Formatted(formatted.text, tuple(detect(formatted.text)))


async def send_message(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#sendmessage"""
    params, chat = call.params, chat_of(call)
    formatted = formatted_text(params)
    reply_to = replied(params, chat)
    thread = thread_of(params, chat)
    if thread is None and reply_to is not None:
        thread = chat.messages[reply_to].thread
    message = call.world.add_message(
        chat,
        call.bot.user,
        formatted,
        thread=thread,
        reply_to=reply_to,
        markup=params.json("reply_markup"),
        silent=params.flag("disable_notification"),
    )
    return message.as_json()


def replied(params: Params, chat: Chat) -> int | None:
    """Return the message to answer (#replyparameters); None when it is gone and that was said to be fine."""
    reply = params.json("reply_parameters") or {}
    if not isinstance(reply, dict):
        raise bad_request("can't parse reply parameters JSON object")
    target = reply.get("message_id") or params.integer("reply_to_message_id")
    if target is None:
        return None
    if int(target) in chat.messages and chat.messages[int(target)].seen.deleted_at is None:
        return int(target)
    if reply.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
        return None
    raise bad_request("message to be replied not found")


def thread_of(params: Params, chat: Chat) -> int | None:
    """Return the topic to write in; only supergroups have topics or threads of answers."""
    thread = params.integer("message_thread_id")
    if thread is None:
        return None
    known = thread in chat.topics or (not chat.topics and thread in chat.messages)
    if chat.type != "supergroup" or not known:
        raise bad_request("message thread not found")
    return thread


def target_of(call: Call, what: str) -> Message:
    """Return the message that `message_id` names."""
    if call.params.text("inline_message_id"):
        raise bad_request("MESSAGE_ID_INVALID")
    chat, message_id = chat_of(call), call.params.integer("message_id")
    message = chat.messages.get(message_id or 0)
    if message is None or message.seen.deleted_at is not None:
        raise bad_request(f"message to {what} not found")
    return message


async def edit_message_text(call: Call) -> dict[str, Any]:
    """core.telegram.org/bots/api#editmessagetext"""
    formatted = formatted_text(call.params)
    message = target_of(call, "edit")
    if message.sender.id != call.bot.user.id:
        raise bad_request("message can't be edited")
    version, markup = call.world.version(formatted), call.params.json("reply_markup")
    last = message.seen.versions[-1]
    if (last.text, last.entities, message.markup) == (version.text, version.entities, markup):
        raise bad_request(NOT_MODIFIED)
    message.markup = markup
    call.world.ledger.edit(message.seen, version)
    return message.as_json()


async def delete_message(call: Call) -> bool:
    """core.telegram.org/bots/api#deletemessage: its own messages, and in private chats all."""
    message = target_of(call, "delete")
    if message.sender.id != call.bot.user.id and message.chat.type != "private":
        raise bad_request("message can't be deleted")
    call.world.ledger.delete(message.seen, call.world.clock.now())
    return True


async def set_message_reaction(call: Call) -> bool:
    """core.telegram.org/bots/api#setmessagereaction: a bot has at most one reaction on a message."""
    message = target_of(call, "react")
    reactions = call.params.objects("reaction") or []
    if len(reactions) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    shown = [str(reaction.get("emoji") or reaction.get("custom_emoji_id", "")) for reaction in reactions]
    message.seen.extra["reactions"] = shown
    call.world.ledger.announce()
    return True


def methods() -> dict[str, Method]:
    """Return every method known here by its documented name."""
    return {
        "getMe": get_me,
        "getUpdates": get_updates,
        "setWebhook": set_webhook,
        "deleteWebhook": delete_webhook,
        "getWebhookInfo": get_webhook_info,
        "sendMessage": send_message,
        "editMessageText": edit_message_text,
        "deleteMessage": delete_message,
        "setMessageReaction": set_message_reaction,
        "sendChatAction": send_chat_action,
        "setMyCommands": set_my_commands,
        "getMyCommands": get_my_commands,
        "deleteMyCommands": delete_my_commands,
        "getChat": get_chat,
        "getChatMember": get_chat_member,
        "answerCallbackQuery": answer_callback_query,
    }
