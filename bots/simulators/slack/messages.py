"""The methods that write messages: post, change, delete, and a word for one person only.

docs.slack.dev/reference/methods/chat.postMessage and its neighbours.
"""

from typing import Any

from bots.simulators.slack.calls import Call, channel_of, own_message_of, writable_channel_of
from bots.simulators.slack.contents import Content, read_content, read_metadata
from bots.simulators.slack.params import Params, SlackError
from bots.simulators.slack.world import Channel, Message


def post_message(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/chat.postMessage"""
    channel, content = writable_channel_of(call), read_content(call.params, call.world.name_of)
    message = add_message(call, channel, content, thread_ts=thread_of(call, channel))
    call.echo(call.events.message(message))
    return {"channel": channel.id, "ts": message.ts, "message": message.as_json(call.app, with_metadata=True)}


def thread_of(call: Call, channel: Channel) -> str | None:
    """Return the thread to write in: a reply's `ts` stands for its thread, an unknown one for itself."""
    given = call.params.text("thread_ts")
    if not given:
        return None
    message = channel.messages.get(given)
    return (message.thread_ts if message is not None else None) or given


def add_message(
    call: Call, channel: Channel, content: Content, *, thread_ts: str | None, **fields: Any
) -> Message:
    message = call.world.add(
        channel,
        call.app.bot,
        content.text,
        content.shown,
        thread_ts=thread_ts,
        blocks=content.blocks,
        broadcast=call.params.flag("reply_broadcast") and thread_ts is not None,
        metadata=read_metadata(call.params),
        extra={"unfurls": unfurls(call.params, content)},
        **fields,
    )
    # A message ends the status of its thread (docs.slack.dev/reference/methods/assistant.threads.setStatus).
    channel.statuses.pop(thread_ts or message.ts, None)
    return message


def unfurls(params: Params, content: Content) -> list[str]:
    """For apps, links to media unfurl unless that is switched off, and others only when switched on."""
    links, media = params.flag("unfurl_links"), params.flag("unfurl_media", default=True)
    return content.shown.unfurls(links=links, media=media)


def update(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/chat.update"""
    channel = writable_channel_of(call)
    message = own_message_of(call, channel, "cant_update_message")
    if message.stream is not None:
        # Seen of the platform, not in its documentation.
        raise SlackError("streaming_state_conflict")
    content, metadata = (
        read_content(call.params, call.world.name_of, updating=True),
        read_metadata(call.params),
    )
    before = message.as_json(call.app)
    message.text, message.blocks = content.text, content.blocks
    message.metadata = metadata if metadata is not None else message.metadata
    if not content.blocks:
        message.edited_at = call.world.next_ts()
    call.world.change(message, content.shown)
    call.echo(call.events.changed(message, before))
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": message.as_json(call.app),
    }


def delete(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/chat.delete"""
    channel = channel_of(call)
    message = own_message_of(call, channel, "cant_delete_message")
    if message.stream is not None:
        raise SlackError("cant_delete_message")
    before = message.as_json(call.app)
    call.world.ledger.delete(message.seen, call.world.clock.now())
    call.echo(call.events.deleted(message, before))
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/chat.postEphemeral"""
    channel, user = writable_channel_of(call), call.world.user(call.params.required("user"))
    if user is None or user.is_bot:
        raise SlackError("user_not_in_channel")
    content = read_content(call.params, call.world.name_of)
    message = call.world.add(
        channel,
        call.app.bot,
        content.text,
        content.shown,
        thread_ts=thread_of(call, channel),
        blocks=content.blocks,
        extra={"ephemeral_to": user.name},
    )
    return {"message_ts": message.ts}
