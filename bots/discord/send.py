"""What goes out: messages, edits, the typing sign and reactions; and looking whether they are there.

Every message has a nonce made of its key, so that within some minutes the same send is the same message:
https://docs.discord.com/developers/resources/message#create-message. The first part of an answer to a slash
command edits the command's own answer instead, which may be repeated at any time; where nobody acknowledged
the command yet, that comes first. Nobody is pinged but who asked, and links unfold nothing. Pace and repeats
are left to the core.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bots.discord.commands import acknowledge
from bots.discord.ids import (
    Interaction,
    chat_of,
    interaction_of,
    lowest_id,
    nonce_of,
    number,
    read_receipt,
    receipt_of,
)
from bots.discord.markup import render
from bots.discord.wire import Line
from core.errors import Ambiguous, ChannelError, TargetGone, Undeliverable
from core.messages import OutboundMessage, Place

SUPPRESS_EMBEDS = 1 << 2
PAGE = 100
PAGES = 5
MOST = PAGE * PAGES
CHANNEL = "/channels/{channel_id}"
ORIGINAL = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
FOLLOW_UP = "/webhooks/{webhook_id}/{webhook_token}"


async def send(line: Line, message: OutboundMessage) -> str:
    """Send one message; its id, which for an answer to a command brings along the right to edit it."""
    asked = interaction_of(message.reply_to)
    if asked is not None:
        try:
            return await _fill(line, asked, message)
        except TargetGone:  # its 15 minutes are over, or its three seconds were before anybody acknowledged
            pass
    try:
        return await _post(line, message, quote=asked is None)
    except Undeliverable:
        after = interaction_of(message.extra.get("interaction", ""))
        if after is None:
            raise
        return await _follow_up(line, after, message)


async def edit(line: Line, place: Place, receipt: str, text: str) -> None:
    """Replace a message's text."""
    id, asked = read_receipt(receipt)
    body = _body(text, asker="")
    if asked is not None:
        try:
            _id(ORIGINAL, await line.call("PATCH", ORIGINAL, body, **_right(asked)))
        except TargetGone:
            if id == "0":
                raise
        else:
            return
    path = f"{CHANNEL}/messages/{{message}}"
    _id(path, await line.call("PATCH", path, body, channel_id=chat_of(place), message=id))


async def show_typing(line: Line, place: Place) -> None:
    """Show "typing" for ten seconds, or until the next message."""
    await line.call("POST", f"{CHANNEL}/typing", channel_id=chat_of(place))


async def react(line: Line, place: Place, message_id: str, sign: str) -> None:
    """Put a sign on a message; on a command it is the answer."""
    if (asked := interaction_of(message_id)) is not None:
        await _answer(line, asked, _body(sign, asker=""))
        return
    path = f"{CHANNEL}/messages/{{message}}/reactions/{{sign}}/@me"
    await line.call("PUT", path, channel_id=chat_of(place), message=number("message", message_id), sign=sign)


async def read_back(line: Line, message: OutboundMessage, me: str) -> str | None:
    """The receipt of this message if it is among those after the question: ours, with its nonce, or with its
    text as an answer to the same. Looked for from the question on, since only what was said before the answer
    lies between, and not all that was said since. Raises a `ChannelError` when nobody can tell: a plain one
    after so many messages that it may be beyond, where another look would see the same."""
    asked = interaction_of(message.reply_to)
    async for page in history(line, chat_of(message.place), _question(message, asked)):
        for found in page.messages:
            if (found.get("author") or {}).get("id") == me and _is_it(found, message, asked):
                return receipt_of(str(found["id"]), asked)
        if page.is_cut:
            raise ChannelError(
                f"it is not among the first {MOST} messages after the question; nobody looks further"
            )
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some messages of a history, the last of which has the id `to`. One that `is_cut` is not the last, but
    more are not read at a time."""

    messages: Sequence[dict[str, Any]]
    to: int
    is_cut: bool


async def at_once() -> None: ...


async def history(
    line: Line, chat: str, after: int, turn: Callable[[], Awaitable[None]] = at_once
) -> AsyncIterator[Page]:
    """The messages of a channel after an id, page by page, oldest first; `turn` comes before each call."""
    for page in range(1, PAGES + 1):
        await turn()
        query = {"after": str(after), "limit": str(PAGE)}
        found = await line.call("GET", f"{CHANNEL}/messages", channel_id=chat, query=query)
        if not isinstance(found, list):
            raise Ambiguous("GET /messages: the answer is no list")
        later = {id: each for each in found if (id := _id_in(each)) > after}
        after, is_full = max(later, default=after), len(found) >= PAGE
        messages = [later[id] for id in sorted(later)]
        yield Page(messages=messages, to=after, is_cut=is_full and page == PAGES)
        if not is_full:
            return


async def _fill(line: Line, asked: Interaction, message: OutboundMessage) -> str:
    answer = await _answer(line, asked, _body(message.text, asker=message.extra.get("asker", "")))
    id = answer.get("id") if isinstance(answer, dict) else None
    return receipt_of(str(id or "0"), asked)


async def _answer(line: Line, asked: Interaction, body: dict[str, Any]) -> Any:
    """Put it in the place of the command's answer. Who stored the command may have died before it
    acknowledged it, or is about to: an answer that overtook that would leave a "thinking" behind."""
    try:
        return await line.call("PATCH", ORIGINAL, body, **_right(asked))
    except TargetGone:
        if not await acknowledge(line, asked):
            raise
    return await line.call("PATCH", ORIGINAL, body, **_right(asked))


async def _post(line: Line, message: OutboundMessage, *, quote: bool) -> str:
    body = _body(message.text, asker=message.extra.get("asker", ""))
    body |= {"nonce": nonce_of(message.key), "enforce_nonce": True}
    if quote and message.reply_to and not message.place.direct:
        target = number("message", message.reply_to)
        body["message_reference"] = {"message_id": target, "fail_if_not_exists": False}
    answer = await line.call("POST", f"{CHANNEL}/messages", body, channel_id=chat_of(message.place))
    return _id("POST /messages", answer)


async def _follow_up(line: Line, asked: Interaction, message: OutboundMessage) -> str:
    """Where the bot may only answer commands. Nothing tells two of these apart, so none is repeated."""
    body = _body(message.text, asker=message.extra.get("asker", ""))
    try:
        return _id(FOLLOW_UP, await line.call("POST", FOLLOW_UP, body, **_right(asked)))
    except Ambiguous as error:
        raise Undeliverable(f"{error}; it may have gone out, and must not twice") from error


def _body(text: str, *, asker: str) -> dict[str, Any]:
    """https://docs.discord.com/developers/resources/message#allowed-mentions-object"""
    allowed = {"parse": [], "users": [asker] if asker else [], "replied_user": True}
    return {"content": render(text), "flags": SUPPRESS_EMBEDS, "allowed_mentions": allowed}


def _right(asked: Interaction) -> dict[str, str]:
    return {"webhook_id": asked.application, "webhook_token": asked.token}


def _id(method: str, answer: Any) -> str:
    if not isinstance(answer, dict) or "id" not in answer:
        raise Ambiguous(f"{method}: the answer has no message in it")
    return str(answer["id"])


def _id_in(found: Any) -> int:
    """0 where nobody can read it: there is no way to go on from there."""
    id = str(found.get("id")) if isinstance(found, dict) else ""
    return int(id) if id.isdecimal() else 0


def _question(message: OutboundMessage, asked: Interaction | None) -> int:
    """The id from which an answer may be."""
    id = asked.id if asked else message.reply_to
    if id.isdecimal():
        return int(id)
    return lowest_id(message.asked_at) if message.asked_at else 0


def _is_it(found: dict[str, Any], message: OutboundMessage, asked: Interaction | None) -> bool:
    if found.get("nonce") == nonce_of(message.key):
        return True
    if str(found.get("content")).strip() != render(message.text).strip():
        return False
    answered = (found.get("message_reference") or {}).get("message_id")
    if asked is not None and (command := found.get("interaction_metadata")):
        return bool(command.get("id") == asked.id)
    if asked is not None:  # a message in the place of an answer that came too late
        return answered is None
    return not message.reply_to or message.place.direct or answered == message.reply_to
