"""What the newcomer sees in each app, as HTML that is safe to show.

The simulators say what a reader sees: for Telegram and Slack a text without markup and what lies over it,
for Discord the Markdown that its app renders. Everything is escaped here; only the tags below come out, and
links lead to the web or nowhere. Looks are left to the style sheet.
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from bots.simulators.ledger import Seen

TAGS = {
    "bold": "strong",
    "italic": "em",
    "underline": "u",
    "strikethrough": "s",
    "strike": "s",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "expandable_blockquote": "blockquote",
    "quote": "blockquote",
}
BLOCKS = ("pre", "blockquote")
LINKS = ("link", "url", "text_link")
CLASSES = {
    "spoiler": "spoiler",
    "mention": "mention",
    "text_mention": "mention",
    "user": "mention",
    "channel": "mention",
    "broadcast": "mention",
    "bot_command": "mention",
}
BARE_LINK = re.compile(r"(https?://[^\s<>|\"]+[^\s<>|\".,;:!?)'*_~`])")
DISCORD_MENTION = re.compile(r"<@!?(\d+)>")


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that lies over a text, from one character up to another."""

    start: int
    end: int
    kind: str
    url: str = ""


def bubble(channel: str, seen: Seen) -> dict[str, Any]:
    """One message of a pane as the page takes it; `html` is safe."""
    return {
        "channel": channel,
        "id": str(seen.id),
        "mine": not seen.by_bot,
        "html": shown(channel, seen),
        "text": seen.text,
        "edits": seen.edits,
        "at": seen.versions[0].at,
        "thread": bool(seen.extra.get("thread")),
        "only_you": bool(seen.extra.get("ephemeral") or seen.extra.get("ephemeral_to")),
        "reactions": [_sign(each) for each in seen.extra.get("reactions", ())],
        "deleted": seen.deleted_at is not None,
    }


def shown(channel: str, seen: Seen) -> str:
    """The message's newest text as safe HTML."""
    if channel == "discord":
        return discord_html(seen.text)
    entities = seen.versions[-1].entities
    return marked(seen.text, utf16_marks(seen.text, entities) if channel == "telegram" else marks(entities))


def marks(entities: Sequence[dict[str, Any]]) -> list[Mark]:
    """Entities that count characters."""
    return [
        Mark(each["offset"], each["offset"] + each["length"], each["type"], each.get("url", ""))
        for each in entities
    ]


def utf16_marks(text: str, entities: Sequence[dict[str, Any]]) -> list[Mark]:
    """Entities that count UTF-16 units (core.telegram.org/bots/api#messageentity)."""
    ends, units = {0: 0}, 0
    for index, char in enumerate(text, start=1):
        units += 2 if ord(char) > 0xFFFF else 1
        ends[units] = index
    return [
        Mark(ends.get(mark.start, 0), ends.get(mark.end, len(text)), mark.kind, mark.url)
        for mark in marks(entities)
    ]


def marked(text: str, over: Sequence[Mark]) -> str:
    """The text with its marks as tags; marks that cross each other are cut to fit."""
    ordered = deque(sorted(over, key=lambda mark: (mark.start, -mark.end)))
    return _write(text, 0, len(text), ordered)


def _write(text: str, start: int, end: int, ordered: "deque[Mark]") -> str:
    parts, at = [], start
    while ordered and ordered[0].start < end:
        mark = ordered.popleft()
        begin, stop = max(mark.start, at), min(mark.end, end)
        if begin >= stop:
            continue
        parts.append(escape(text[at:begin]))
        parts.append(_tagged(mark, text[begin:stop], _write(text, begin, stop, ordered)))
        # A block ends its line by itself.
        at = stop + (TAGS.get(mark.kind) in BLOCKS and text[stop : stop + 1] == "\n")
    parts.append(escape(text[at:end]))
    return "".join(parts)


def _tagged(mark: Mark, text: str, inside: str) -> str:
    if mark.kind in LINKS:
        return _link(mark.url or text, inside)
    if mark.kind in CLASSES:
        return f'<span class="{CLASSES[mark.kind]}">{inside}</span>'
    tag = TAGS.get(mark.kind)
    return f"<{tag}>{inside}</{tag}>" if tag else inside


def _link(url: str, inside: str) -> str:
    if not _is_web(url):
        return inside
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{inside}</a>'


def discord_html(text: str) -> str:
    """Discord's Markdown, as far as the house speaks it: no pictures, no HTML, every newline is one.

    support.discord.com: "Markdown Text 101".
    """
    reader = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("strikethrough")
    reader.disable(["image", "html_block", "html_inline"])
    reader.validateLink = _is_web  # type: ignore[method-assign]
    reader.add_render_rule("link_open", _open_link)
    reader.add_render_rule("text", _write_text)
    return str(reader.render(DISCORD_MENTION.sub("@you", text))).strip()


def _is_web(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")


def _open_link(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    href = escape(str(tokens[index].attrGet("href") or ""))
    return f'<a href="{href}" target="_blank" rel="noopener noreferrer">'


def _write_text(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Bare addresses are links too, unless they stand in one."""
    text, before = tokens[index].content, [token.type for token in tokens[:index]]
    if before.count("link_open") > before.count("link_close"):
        return escape(text)
    pieces = BARE_LINK.split(text)
    return "".join(_link(piece, escape(piece)) if n % 2 else escape(piece) for n, piece in enumerate(pieces))


def _sign(reaction: Any) -> str:
    return (
        str(reaction.get("emoji") or reaction.get("name", ""))
        if isinstance(reaction, dict)
        else str(reaction)
    )
