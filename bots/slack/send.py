"""What goes out: messages, edits, status, reactions; and the look whether a message is there.

Nothing is repeated here unless Slack has said that the first try did not go out. Each message carries its key
as metadata, so that one whose answer was lost can be found again. Links unfold nothing, and names ring no
bell. https://docs.slack.dev/reference/methods/chat.postMessage
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError

from bots.slack.errors import code_of, translated
from bots.slack.ids import Me, is_ts, response_receipt, ts_of
from bots.slack.markup import markdown, render
from bots.slack.wire import Line
from core.errors import Ambiguous, ChannelError, Undeliverable
from core.messages import OutboundMessage, Place

T = TypeVar("T")

PLACEHOLDER = "…"
EVENT_TYPE = "parley"
THINKING = "is thinking…"
REACTIONS = {"⏳": "hourglass_flowing_sand", "👀": "eyes", "👍": "thumbsup"}
OTHER_REACTION = "eyes"
NO_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
NOT_IN = frozenset({"channel_not_found", "not_in_channel"})
EARLIER = timedelta(minutes=1)
PAGE = 200
MOST_PAGES = 5


async def send(line: Line, message: OutboundMessage) -> str:
    """Post one message; its `ts`. A command may come from where the bot is not: it is answered at its own
    address then, but by the answer alone, since what stands there cannot be changed."""
    place = message.place

    async def attempt(text: str, blocks: list[dict[str, Any]]) -> str:
        posted = await line.client.chat_postMessage(
            channel=place.chat,
            thread_ts=place.thread or None,
            text=text,
            blocks=blocks or None,
            metadata={"event_type": EVENT_TYPE, "event_payload": {"k": message.key}},
            unfurl_links=False,
            unfurl_media=False,
            link_names=False,
            parse="none",
        )
        return str(posted.get("ts") or "")

    try:
        with translated("chat.postMessage"):
            receipt = await _written(message.text, attempt)
            if not is_ts(receipt):
                raise Ambiguous("chat.postMessage: an answer without a ts")
            return receipt
    except Undeliverable as error:
        address = message.extra.get("response_url", "")
        if not address or code_of(error.__cause__) not in NOT_IN or message.text == PLACEHOLDER:
            raise
        return await _respond(line, address, message)


async def edit(line: Line, place: Place, receipt: str, text: str) -> None:
    """Replace a message's text. Its metadata stays."""

    async def attempt(text: str, blocks: list[dict[str, Any]]) -> object:
        return await line.client.chat_update(
            channel=place.chat,
            ts=ts_of(place, receipt),
            text=text,
            blocks=blocks,
            link_names=False,
            parse="none",
        )

    with translated("chat.update"):
        await _written(text, attempt)


async def set_status(line: Line, place: Place, status: str) -> None:
    """Show what the bot does under a thread, for two minutes or until its next message; "" takes it away.
    https://docs.slack.dev/reference/methods/assistant.threads.setStatus"""
    with translated("assistant.threads.setStatus"):
        await line.client.assistant_threads_setStatus(
            channel_id=place.chat, thread_ts=place.thread, status=status
        )


async def react(line: Line, place: Place, message_id: str, sign: str) -> None:
    """Put a sign on a message, where there is one: a command is none."""
    if not is_ts(message_id):
        return
    with translated("reactions.add"):
        try:
            name = REACTIONS.get(sign, OTHER_REACTION)
            await line.client.reactions_add(channel=place.chat, timestamp=message_id, name=name)
        except SlackApiError as error:
            if code_of(error) != "already_reacted":
                raise


async def find(line: Line, me: Me, message: OutboundMessage) -> str | None:
    """The `ts` of the message with this key; None where it is not among what was said since the question.
    Raises a `ChannelError` when nobody can tell: a plain one after so many messages that it may be beyond,
    where another look would see the same."""
    async for page in _pages(line, message):
        for said in page:
            if is_ours(said, me, message):
                return str(said["ts"])
    return None


def is_ours(said: Mapping[str, Any], me: Me, message: OutboundMessage) -> bool:
    """By its key. A server that only stands in for Slack may keep no metadata: there by our name and the very
    text, unless that is the placeholder, which says nothing of whose it is."""
    metadata = said.get("metadata")
    if metadata:
        return (metadata.get("event_payload") or {}).get("k") == message.key
    by_us = said.get("user") == me.user or (bool(me.bot) and said.get("bot_id") == me.bot)
    return by_us and message.text != PLACEHOLDER and said.get("text") == render(message.text)


async def _pages(line: Line, message: OutboundMessage) -> AsyncIterator[list[Mapping[str, Any]]]:
    """https://docs.slack.dev/reference/methods/conversations.replies and conversations.history"""
    place, client = message.place, line.client
    asked: dict[str, Any] = {"channel": place.chat, "include_all_metadata": True, "limit": PAGE}
    if message.asked_at is not None:
        asked["oldest"] = f"{(message.asked_at - EARLIER).timestamp():.6f}"
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        method = "conversations.replies" if place.thread else "conversations.history"
        with translated(method):
            if place.thread:
                found = (await client.conversations_replies(ts=place.thread, cursor=cursor, **asked)).data
            else:
                found = (await client.conversations_history(cursor=cursor, **asked)).data
            assert isinstance(found, dict)
            page, cursor = list(found["messages"]), _next(found)
        yield page
        if not cursor:
            return
    raise ChannelError(f"{method}: it is not in the {MOST_PAGES} pages that were read; nobody looks further")


def _next(found: Mapping[str, Any]) -> str:
    return str((found.get("response_metadata") or {}).get("next_cursor") or "")


async def _respond(line: Line, address: str, message: OutboundMessage) -> str:
    body = {"text": render(message.text), "response_type": "in_channel", "unfurl_links": False}
    await line.respond(address, body | {"unfurl_media": False})
    return response_receipt(message.key)


async def _written(text: str, attempt: Callable[[str, list[dict[str, Any]]], Awaitable[T]]) -> T:
    """Try with a markdown block; again at once without one where a refusal tells that nothing went out and
    the block is to blame."""
    drawn, source = render(text), markdown(text)
    if source is None:
        return await attempt(drawn, [])
    try:
        return await attempt(drawn, [{"type": "markdown", "text": source}])
    except SlackApiError as error:
        if code_of(error) not in NO_BLOCKS:
            raise
    return await attempt(drawn, [])
