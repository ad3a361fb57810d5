"""What goes out: messages, edits, the typing sign and reactions.

Nothing is repeated here unless the platform has said that the first try did not go out. Pace and
repeats are left to the core. https://core.telegram.org/bots/api#sendmessage
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram import LinkPreviewOptions, Message, ReplyParameters
from telegram.constants import ChatAction, ParseMode, ReactionEmoji

from bots.telegram.errors import translated
from bots.telegram.ids import chat_of, message_of, thread_of
from bots.telegram.markup import render, seen
from bots.telegram.wire import Line, Refused
from core.messages import OutboundMessage, Place

T = TypeVar("T")

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
REACTIONS = frozenset(ReactionEmoji)
OTHER_REACTION = ReactionEmoji.EYES


async def send(line: Line, message: OutboundMessage) -> str:
    """Send one message; its `message_id`. In a group it quotes what it answers, while that is there."""
    place = message.place
    quote = None
    if message.reply_to and not place.direct:
        quote = ReplyParameters(message_of(message.reply_to), allow_sending_without_reply=True)

    async def attempt(chat: int, text: str, parse_mode: str | None) -> Message:
        return await line.send_message(
            chat,
            text,
            parse_mode=parse_mode,
            message_thread_id=thread_of(place),
            reply_parameters=quote,
            link_preview_options=NO_PREVIEW,
        )

    with translated("sendMessage"):
        return str((await _written(chat_of(place), message.text, attempt)).message_id)


async def edit(line: Line, place: Place, receipt: str, text: str) -> None:
    """Replace a message's text; done too when it is that text already."""

    async def attempt(chat: int, text: str, parse_mode: str | None) -> object:
        return await line.edit_message_text(
            text,
            chat_id=chat,
            message_id=message_of(receipt),
            parse_mode=parse_mode,
            link_preview_options=NO_PREVIEW,
        )

    with translated("editMessageText"):
        try:
            await _written(chat_of(place), text, attempt)
        except Refused as refused:
            if "message is not modified" not in refused.description.lower():
                raise


async def show_typing(line: Line, place: Place) -> None:
    """Show "typing" for about five seconds, or until the next message."""
    with translated("sendChatAction"):
        await line.send_chat_action(chat_of(place), ChatAction.TYPING, message_thread_id=thread_of(place))


async def react(line: Line, place: Place, message_id: str, sign: str) -> None:
    """Put a sign on a message. Telegram takes only its own list of emoji; eyes stand for all others."""
    with translated("setMessageReaction"):
        allowed = sign if sign in REACTIONS else OTHER_REACTION
        await line.set_message_reaction(chat_of(place), message_of(message_id), allowed)


async def _written(chat: int, text: str, attempt: Callable[[int, str, str | None], Awaitable[T]]) -> T:
    """Try as HTML; again at once where a 400 tells that nothing went out and another form may."""
    html = render(text)
    try:
        return await attempt(chat, html, ParseMode.HTML)
    except Refused as refused:
        if refused.status != 400:
            raise
        if refused.migrate_to is not None:  # the group became a supergroup, with a new number
            return await attempt(refused.migrate_to, html, ParseMode.HTML)
        if "entit" not in refused.description.lower():
            raise
    return await attempt(chat, seen(html), None)
