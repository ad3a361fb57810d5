"""Telegram's MarkdownV2 style (core.telegram.org/bots/api#markdownv2-style): what is not markup is escaped.

A single pass with a stack of what is open. Block quotes are lines that begin with `>`, end with the first
line that does not, and are expandable when the last one closes with `||`.
"""

import re
from dataclasses import dataclass, field

from bots.simulators.telegram.entities import (
    BadMarkup,
    Entity,
    Formatted,
    byte_offset,
    link_entity,
    settle,
    utf16_length,
)

RESERVED = frozenset("_*[]()~`>#+-=|{}.!\n")
RESERVED_IN_CODE = frozenset("`")
# What a mark opens, longest first, and the name that refusals call it by.
MARKS = (
    ("```", "Pre"), ("__", "Underline"), ("||", "Spoiler"), ("![", "CustomEmoji"), ("_", "Italic"),
    ("*", "Bold"), ("~", "Strikethrough"), ("[", "TextUrl"), ("`", "Code"),
)  # fmt: skip
ENDS = {
    "Pre": "```", "PreCode": "```", "Underline": "__", "Spoiler": "||", "CustomEmoji": "]", "Italic": "_",
    "Bold": "*", "Strikethrough": "~", "TextUrl": "]", "Code": "`",
}  # fmt: skip
TYPES = {
    "Pre": "pre", "PreCode": "pre", "Underline": "underline", "Spoiler": "spoiler", "Italic": "italic",
    "Bold": "bold", "Strikethrough": "strikethrough", "Code": "code", "BlockQuote": "blockquote",
}  # fmt: skip
LANGUAGE = re.compile(r"[^\s`]+(?=[^`])")
ONE_NEWLINE = re.compile(r"\r\n|\n\r|\n|\r")
QUOTE_END = re.compile(r"\r?(?:\n(?!>)|\Z)")
EMOJI_ID = re.compile(r"(?:^|&)id=([1-9]\d*)(?:&|$)")


@dataclass(slots=True)
class Open:
    """A mark whose end has not come yet; `begin` is its place in the source."""

    name: str
    begin: int
    offset: int
    output_index: int
    language: str | None = None
    expandable: bool = False


@dataclass(slots=True)
class Reader:
    """Walks over the source once; `output` is the visible text so far."""

    source: str
    at: int = 0
    output: list[str] = field(default_factory=list)
    offset: int = 0
    open: list[Open] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)
    at_line_start: bool = True

    def emit(self, text: str) -> None:
        self.output.append(text)
        self.offset += utf16_length(text)
        self.at_line_start = text in "\r\n"

    def push(self, name: str, begin: int, language: str | None = None) -> None:
        self.open.append(Open(name, begin, self.offset, len(self.output), language))

    @property
    def top(self) -> str:
        return self.open[-1].name if self.open else ""

    @property
    def quoting(self) -> bool:
        return any(opened.name == "BlockQuote" for opened in self.open)

    def unended(self) -> BadMarkup:
        where = byte_offset(self.source, self.open[-1].begin)
        return BadMarkup(f"Can't find end of {self.top} entity at byte offset {where}")

    def reserved(self) -> BadMarkup:
        character = self.source[self.at]
        return BadMarkup(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")


def parse_markdown_v2(source: str) -> Formatted:
    """Return the visible text and its entities; raises BadMarkup."""
    reader = Reader(source)
    while reader.at < len(source):
        step(reader)
    if reader.top == "BlockQuote":
        close(reader)
    if reader.open:
        raise reader.unended()
    return settle("".join(reader.output), reader.entities)


def step(reader: Reader) -> None:
    source, at = reader.source, reader.at
    character = source[at]
    if character == "\\" and at + 1 < len(source) and 0 < ord(source[at + 1]) <= 126:
        reader.at += 2
        reader.emit(source[at + 1])
        reader.at_line_start = False
        return
    in_code = reader.top in ("Code", "Pre", "PreCode")
    if character not in (RESERVED_IN_CODE if in_code else RESERVED):
        reader.at += 1
        reader.emit(character)
    elif character == "\n":
        read_newline(reader)
    elif ends_here(reader):
        close(reader)
    else:
        open_mark(reader)


def read_newline(reader: Reader) -> None:
    """End a quote at the first line without `>`; within one, swallow the next line's `>`."""
    quoted_on = reader.source.startswith(">", reader.at + 1)
    quoting = reader.quoting
    if quoting and not quoted_on and reader.top != "BlockQuote":
        raise reader.unended()
    reader.emit("\n")
    reader.at += 1
    if quoting and quoted_on:
        reader.at += 1
    elif quoting:
        add_entity(reader, reader.open.pop())


def ends_here(reader: Reader) -> bool:
    end = ENDS.get(reader.top)
    if end is None or not reader.source.startswith(end, reader.at):
        return False
    # Two underscores never end an italic: they are looked at as an underline first.
    return end != "_" or not reader.source.startswith("__", reader.at)


def open_mark(reader: Reader) -> None:
    source, begin = reader.source, reader.at
    if source[begin] == ">" and reader.at_line_start and not reader.quoting:
        reader.at += 1
        reader.push("BlockQuote", begin)
        return
    mark, name = next((pair for pair in MARKS if source.startswith(pair[0], begin)), ("", ""))
    if not mark:
        raise reader.reserved()
    reader.at += len(mark)
    if name == "Spoiler" and reader.top == "BlockQuote" and QUOTE_END.match(source, reader.at):
        reader.open[-1].expandable = True
    elif name == "Pre":
        open_block(reader, begin)
    else:
        reader.push(name, begin)


def open_block(reader: Reader, begin: int) -> None:
    """Take the language off a code block's first line, and one line end after it."""
    language = LANGUAGE.match(reader.source, reader.at)
    if language is not None and reader.source[language.end()].isspace():
        reader.at = language.end()
    else:
        language = None
    if newline := ONE_NEWLINE.match(reader.source, reader.at):
        reader.at = newline.end()
    reader.push("PreCode" if language else "Pre", begin, language.group() if language else None)


def close(reader: Reader) -> None:
    opened = reader.open.pop()
    reader.at += len(ENDS.get(opened.name, ""))
    if opened.name in ("TextUrl", "CustomEmoji"):
        close_link(reader, opened)
    else:
        add_entity(reader, opened)


def add_entity(reader: Reader, opened: Open) -> None:
    length = reader.offset - opened.offset
    if length > 0:
        kind = "expandable_blockquote" if opened.expandable else TYPES[opened.name]
        reader.entities.append(
            Entity(type=kind, offset=opened.offset, length=length, language=opened.language)
        )


def close_link(reader: Reader, opened: Open) -> None:
    """Read the address in parentheses; without one the link's text is its address."""
    url = "".join(reader.output[opened.output_index :])
    addressed = reader.source.startswith("(", reader.at)
    if addressed:
        url = read_address(reader, "custom emoji" if opened.name == "CustomEmoji" else "")
    length = reader.offset - opened.offset
    entity: Entity | None
    if opened.name == "CustomEmoji":
        if not addressed:
            raise BadMarkup("Custom emoji entity must contain a tg://emoji URL")
        emoji = emoji_id(url)
        entity = Entity(type="custom_emoji", offset=opened.offset, length=length, custom_emoji_id=emoji)
    else:
        entity = link_entity(opened.offset, length, url)
    if entity is not None and length > 0:
        reader.entities.append(entity)


def read_address(reader: Reader, what: str) -> str:
    source, begin, url = reader.source, reader.at + 1, []
    at = begin
    while at < len(source) and source[at] != ")":
        if source[at] == "\\" and at + 1 < len(source) and 0 < ord(source[at + 1]) <= 126:
            at += 1
        url.append(source[at])
        at += 1
    if at >= len(source):
        kind = f"{what} URL" if what else "URL"
        raise BadMarkup(f"Can't find end of a {kind} at byte offset {byte_offset(source, begin)}")
    reader.at = at + 1
    return "".join(url)


def emoji_id(url: str) -> str:
    address, _, fragment_free = url.partition("#")[0].partition("?")
    scheme, _, host = address.lower().partition(":")
    if scheme != "tg":
        raise BadMarkup("Custom emoji URL must have scheme tg")
    if host.strip("/") != "emoji":
        raise BadMarkup('Custom emoji URL must have host "emoji"')
    found = EMOJI_ID.search(fragment_free)
    if found is None:
        known = re.search(r"(?:^|&)id=", fragment_free)
        raise BadMarkup(
            "Invalid custom emoji identifier specified"
            if known
            else "Custom emoji URL must have an emoji identifier"
        )
    return found.group(1)
