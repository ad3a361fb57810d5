"""The methods that read conversations back: about one, its history, its threads.

docs.slack.dev/reference/methods/conversations.history, conversations.replies; pages by cursor as in
docs.slack.dev/apis/web-api/pagination.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from bots.simulators.slack.calls import Call, channel_of
from bots.simulators.slack.params import SlackError, invalid
from bots.simulators.slack.world import Channel, Message

MOST = 999


def info(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/conversations.info"""
    return {"channel": channel_of(call).as_json()}


def open_conversation(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/conversations.open: with one user; groups of several are not kept."""
    users = call.params.text("users")
    if not users:
        return {"channel": channel_of(call).as_json(), "already_open": True, "no_op": True}
    user = call.world.user(users)
    if user is None or user.is_bot:
        raise SlackError("user_not_found")
    channel = call.world.find(user.id)
    if channel is not None:
        return {"channel": channel.as_json(), "already_open": True, "no_op": True}
    return {"channel": call.world.open(user.name, "im", user).as_json()}


def history(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/conversations.history: newest first, replies left in their threads."""
    channel = readable_channel_of(call)
    found = [each for each in standing(channel) if each.thread_ts in (None, each.ts) or each.broadcast]
    return page(call, [*reversed(within(call, found))], default=100)


def replies(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/conversations.replies: the first message, then its replies."""
    channel = readable_channel_of(call)
    asked = channel.messages.get(call.params.required("ts"))
    root = None if asked is None else channel.messages.get(asked.thread_ts or asked.ts)
    if root is None:
        raise SlackError("thread_not_found")
    thread = [each for each in standing(channel) if each is root or each.is_reply_to(root.ts)]
    if not thread:
        raise SlackError("thread_not_found")
    inside = [each for each in within(call, thread) if each is not root]
    return page(call, [*(each for each in thread if each is root), *inside], default=MOST)


def readable_channel_of(call: Call) -> Channel:
    channel = channel_of(call)
    if not channel.is_member:
        raise SlackError("not_in_channel")
    return channel


def standing(channel: Channel) -> list[Message]:
    """Return what a history holds: nothing deleted, nothing that only one person saw."""
    return [
        message
        for message in channel.messages.values()
        if message.seen.deleted_at is None and not message.seen.extra.get("ephemeral_to")
    ]


def within(call: Call, messages: Sequence[Message]) -> list[Message]:
    oldest, latest = time_of(call, "oldest"), time_of(call, "latest")
    inclusive = call.params.flag("inclusive")
    kept = []
    for message in messages:
        at = parsed(message.ts)
        after = oldest is None or at > oldest or (inclusive and at == oldest)
        before = latest is None or at < latest or (inclusive and at == latest)
        kept += [message] if after and before else []
    return kept


def time_of(call: Call, name: str) -> int | None:
    given = call.params.text(name)
    try:
        return parsed(given) if given else None
    except ValueError:
        raise SlackError(f"invalid_ts_{name}") from None


def parsed(ts: str) -> int:
    """Return a `ts` in microseconds: as text, or as a float, they would be compared wrongly."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def page(call: Call, messages: Sequence[Message], *, default: int) -> dict[str, Any]:
    limit = call.params.integer("limit", default)
    if not 1 <= limit <= MOST:
        raise invalid(f"limit must be between 1 and {MOST}", code="invalid_limit")
    start = start_of(call.params.text("cursor"), messages)
    shown, rest = messages[start : start + limit], messages[start + limit :]
    with_metadata = call.params.flag("include_all_metadata")
    body: dict[str, Any] = {
        "messages": [message.as_json(call.app, with_metadata=with_metadata) for message in shown],
        "has_more": bool(rest),
    }
    if rest:
        cursor = urlsafe_b64encode(f"next_ts:{rest[0].ts}".encode()).decode()
        body["response_metadata"] = {"next_cursor": cursor}
    return body


def start_of(cursor: str, messages: Sequence[Message]) -> int:
    if not cursor:
        return 0
    try:
        kind, _, ts = urlsafe_b64decode(cursor).decode().partition(":")
    except ValueError:
        raise SlackError("invalid_cursor") from None
    place = next((index for index, message in enumerate(messages) if message.ts == ts), None)
    if kind != "next_ts" or place is None:
        raise SlackError("invalid_cursor")
    return place
