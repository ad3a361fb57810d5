"""Messages that grow while they are written: start, append, stop.

docs.slack.dev/reference/methods/chat.startStream, chat.appendStream, chat.stopStream. A stream takes text or
chunks, as its first content was, and while it runs chat.update is refused; both were seen of the platform
and stand in none of its pages.
"""

from typing import Any

from bots.simulators.slack.blocks import LONGEST_MARKDOWN, check_blocks, show_blocks
from bots.simulators.slack.calls import Call, channel_of, own_message_of, writable_channel_of
from bots.simulators.slack.contents import Content, markdown_content, read_metadata
from bots.simulators.slack.messages import add_message, thread_of
from bots.simulators.slack.params import SlackError, invalid
from bots.simulators.slack.shown import joined
from bots.simulators.slack.world import Channel, Message

CHUNKS = frozenset({"markdown_text", "task_update", "plan_update", "blocks"})


def start_stream(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/chat.startStream"""
    channel, params = writable_channel_of(call), call.params
    thread_ts = thread_of(call, channel)
    if channel.type == "im" and thread_ts is None:
        raise invalid("missing required field: thread_ts")
    if channel.type != "im":
        check_recipient(call)
    text, mode = read_piece(call)
    if params.text("task_display_mode") not in ("", "timeline", "plan"):
        raise invalid("task_display_mode must be timeline or plan")
    content = markdown_content(text, call.world.name_of)
    message = add_message(call, channel, content, thread_ts=thread_ts, stream=mode)
    message.seen.extra["streaming"] = True
    call.echo(call.events.message(message))
    return {"channel": channel.id, "ts": message.ts}


def check_recipient(call: Call) -> None:
    """In a channel it must be said for whom the stream is."""
    if not call.params.text("recipient_team_id"):
        raise SlackError("missing_recipient_team_id")
    if not call.params.text("recipient_user_id"):
        raise SlackError("missing_recipient_user_id")
    if call.world.user(call.params.text("recipient_user_id")) is None:
        raise SlackError("user_not_found")
    if call.params.text("recipient_team_id") != call.app.team_id:
        raise SlackError("team_not_found")


def append_stream(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/chat.appendStream"""
    channel, message = streaming_message_of(call)
    text, mode = read_piece(call)
    if not mode:
        raise SlackError("no_text")
    grow(call, message, text, mode)
    return {"channel": channel.id, "ts": message.ts}


def stop_stream(call: Call) -> dict[str, Any]:
    """docs.slack.dev/reference/methods/chat.stopStream"""
    channel, message = streaming_message_of(call)
    blocks = call.params.objects("blocks", "invalid_blocks_format")
    check_blocks(blocks)
    metadata, (text, mode) = read_metadata(call.params), read_piece(call)
    before = message.as_json(call.app)
    if mode:
        grow(call, message, text, mode)
    if blocks:
        shown = joined(
            [
                markdown_content(message.text, call.world.name_of).shown,
                show_blocks(blocks, call.world.name_of),
            ]
        )
        message.blocks = [*message.blocks, *blocks]
        call.world.change(message, shown)
    message.metadata = metadata if metadata is not None else message.metadata
    end(call, message)
    call.echo(call.events.changed(message, before))
    body = message.as_json(call.app, with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": body}


def end(call: Call, message: Message) -> None:
    """Let a stream be an ordinary message from now on."""
    message.stream, message.seen.extra["streaming"] = None, False
    call.world.ledger.announce()


def streaming_message_of(call: Call) -> tuple[Channel, Message]:
    channel = channel_of(call)
    message = own_message_of(call, channel, "message_not_owned_by_app")
    if message.stream is None:
        raise SlackError("message_not_in_streaming_state")
    return channel, message


def read_piece(call: Call) -> tuple[str, str]:
    """Return the Markdown that is added, and whether it came as "text", as "chunks" or not at all ("")."""
    text, chunks = call.params.text("markdown_text"), call.params.objects("chunks", "invalid_chunks")
    if text and chunks:
        raise SlackError("streaming_mode_mismatch")
    if len(text) > LONGEST_MARKDOWN:
        raise SlackError("msg_too_long")
    for chunk in chunks:
        if chunk.get("type") not in CHUNKS:
            raise SlackError("invalid_chunks")
        if len(str(chunk.get("text", ""))) > LONGEST_MARKDOWN:
            raise SlackError("msg_too_long")
    if chunks:
        return "".join(str(chunk["text"]) for chunk in chunks if chunk["type"] == "markdown_text"), "chunks"
    return text, "text" if text else ""


def grow(call: Call, message: Message, text: str, mode: str) -> None:
    if message.stream and message.stream != mode:
        raise SlackError("streaming_mode_mismatch")
    message.stream = mode
    content = markdown_content(message.text + text, call.world.name_of)
    message.text, message.blocks = content.text, content.blocks
    ring(message, content)
    call.world.change(message, content.shown)


def ring(message: Message, content: Content) -> None:
    """A mention rings when the stream brings it."""
    pings = message.seen.extra["pings"]
    pings += [ping for ping in content.shown.pings if ping not in pings]
