"""What a message is made of when an app writes it: text, Markdown or blocks, and metadata; and its limits.

docs.slack.dev/reference/methods/chat.postMessage, /messaging/message-metadata.
"""

from dataclasses import dataclass
from typing import Any

import orjson

from bots.simulators.slack.blocks import LONGEST_MARKDOWN, Block, check_blocks, show_blocks
from bots.simulators.slack.markdown import show_markdown
from bots.simulators.slack.mrkdwn import show_mrkdwn, show_plain
from bots.simulators.slack.params import Params, SlackError
from bots.simulators.slack.shown import Names, Shown

LONGEST_TEXT = 40_000
LONGEST_UPDATE = 4_000
LARGEST_METADATA = 16 * 1024
TRUNCATED = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The text (a fallback where there are blocks), the blocks, and what is seen."""

    text: str
    blocks: list[Block]
    shown: Shown


def read_content(params: Params, names: Names, *, updating: bool = False) -> Content:
    """Read a message's content; raises SlackError where the documented limits are passed."""
    text, markdown = params.text("text"), params.text("markdown_text")
    blocks = params.objects("blocks", "invalid_blocks_format")
    if markdown:
        if text or blocks:
            raise SlackError("markdown_text_conflict")
        if len(markdown) > LONGEST_MARKDOWN:
            raise SlackError("msg_too_long")
        return markdown_content(markdown, names)
    if blocks:
        check_blocks(blocks)
    elif not text.strip() and not params.objects("attachments", "invalid_attachments"):
        raise SlackError("no_text")
    if updating and len(text) > LONGEST_UPDATE:
        raise SlackError("msg_too_long")
    if len(text) > LONGEST_TEXT:
        # docs.slack.dev/changelog/2018-04-truncating-really-long-messages
        text = text[: LONGEST_TEXT - 1] + TRUNCATED
    return Content(text=text, blocks=blocks, shown=seen_of(params, text, blocks, names))


def seen_of(params: Params, text: str, blocks: list[Block], names: Names) -> Shown:
    if blocks:
        return show_blocks(blocks, names)
    if not params.flag("mrkdwn", default=True):
        return show_plain(text)
    calls_names = params.flag("link_names") or params.text("parse") == "full"
    return show_mrkdwn(text, names, link_names=calls_names)


def markdown_content(source: str, names: Names) -> Content:
    """Return Markdown as the platform keeps it: a markdown block, and the source as fallback text."""
    blocks = [{"type": "markdown", "text": source}] if source else []
    return Content(text=source, blocks=blocks, shown=show_markdown(source, names))


def read_metadata(params: Params) -> dict[str, Any] | None:
    metadata = params.json("metadata", "invalid_metadata_format")
    if metadata is None:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    if len(orjson.dumps(metadata)) > LARGEST_METADATA:
        raise SlackError("metadata_too_large")
    return metadata
