"""Telegram's HTML style (core.telegram.org/bots/api#html-style): few tags, strictly nested.

Everything that is not one of the listed tags or the four named character references is refused or taken
literally, as the platform does.
"""

import re
from dataclasses import dataclass, field, replace

from bots.simulators.telegram.entities import (
    BadMarkup,
    Entity,
    Formatted,
    byte_offset,
    link_entity,
    settle,
    utf16_length,
)

TYPES = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "span": "spoiler",
    "tg-spoiler": "spoiler", "code": "code", "pre": "pre", "blockquote": "blockquote", "a": "text_link",
    "tg-emoji": "custom_emoji",
}  # fmt: skip
REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot)(?![A-Za-z]));?")
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
NAME = re.compile(r"[^\s>]*")
BLANK = re.compile(r"\s*")
ATTRIBUTE_NAME = re.compile(r"[^\s=>]*")
TOKEN = re.compile(r"[A-Za-z0-9.-]*")


@dataclass(slots=True)
class Open:
    """A start tag whose end has not come yet."""

    tag: str
    attributes: dict[str, str]
    offset: int
    output_index: int


@dataclass(slots=True)
class Reader:
    """Walks over the source once; `output` is the visible text so far."""

    source: str
    at: int = 0
    output: list[str] = field(default_factory=list)
    offset: int = 0
    open: list[Open] = field(default_factory=list)
    entities: list[Entity] = field(default_factory=list)

    def emit(self, text: str) -> None:
        self.output.append(text)
        self.offset += utf16_length(text)

    def refuse(self, reason: str, at: int) -> BadMarkup:
        return BadMarkup(f"{reason} at byte offset {byte_offset(self.source, at)}")


def parse_html(source: str) -> Formatted:
    """Return the visible text and its entities; raises BadMarkup."""
    reader = Reader(source)
    while reader.at < len(source):
        character = source[reader.at]
        if character == "<":
            if source.startswith("</", reader.at):
                read_end_tag(reader)
            else:
                read_start_tag(reader)
            continue
        text, reader.at = read_character(source, reader.at)
        reader.emit(text)
    if reader.open:
        raise BadMarkup(f'Can\'t find end tag corresponding to start tag "{reader.open[-1].tag}"')
    # A language is shown on a block only; on a lone code span the platform drops it.
    shown = (replace(each, language=None) if each.type == "code" else each for each in reader.entities)
    return settle("".join(reader.output), tuple(shown))


def read_character(source: str, at: int) -> tuple[str, int]:
    """Return the character at a place, decoded when it is a known reference, and the place after it."""
    if source[at] != "&" or not (match := REFERENCE.match(source, at)):
        return source[at], at + 1
    hexadecimal, decimal, name = match.groups()
    if name:
        return NAMED[name], match.end()
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    if not 0 < code < 0x10FFFF:
        return source[at], at + 1
    if 0xD800 <= code <= 0xDFFF:
        raise BadMarkup("Text contains invalid Unicode characters after decoding HTML entities")
    return chr(code), match.end()


def read_start_tag(reader: Reader) -> None:
    source, begin = reader.source, reader.at
    name = NAME.match(source, begin + 1)
    assert name is not None
    if name.end() == len(source):
        raise reader.refuse("Unclosed start tag", begin)
    tag = name.group().lower()
    if tag not in TYPES:
        raise reader.refuse(f'Unsupported start tag "{tag}"', begin)
    attributes, reader.at = read_attributes(reader, tag, begin, name.end())
    if tag == "span" and attributes.get("class") != "tg-spoiler":
        raise reader.refuse('Tag "span" must have class "tg-spoiler"', begin)
    reader.open.append(Open(tag, attributes, reader.offset, len(reader.output)))


def read_attributes(reader: Reader, tag: str, begin: int, at: int) -> tuple[dict[str, str], int]:
    """Read up to and with the closing `>`; return the attributes and the place after it."""
    source = reader.source
    attributes: dict[str, str] = {}
    while True:
        at = skip_blank(source, at)
        if at == len(source):
            raise reader.refuse("Unclosed start tag", begin)
        if source[at] == ">":
            return attributes, at + 1
        match = ATTRIBUTE_NAME.match(source, at)
        assert match is not None
        name, at = match.group(), skip_blank(source, match.end())
        if not name:
            raise reader.refuse(f'Empty attribute name in the tag "{tag}"', begin)
        if source[at : at + 1] == "=":
            attributes[name], at = read_value(reader, tag, begin, skip_blank(source, at + 1))
        elif tag == "blockquote" and name == "expandable":
            attributes[name] = ""
        else:
            reason = f'Expected equal sign in declaration of an attribute of the tag "{tag}"'
            raise reader.refuse(reason, begin)


def read_value(reader: Reader, tag: str, begin: int, at: int) -> tuple[str, int]:
    """Read an attribute's value, quoted or a plain name token, and the place after it."""
    source = reader.source
    if at >= len(source):
        raise reader.refuse(f'Unclosed start tag "{tag}"', begin)
    quote = source[at]
    if quote not in "'\"":
        match = TOKEN.match(source, at)
        assert match is not None
        if match.end() < len(source) and not source[match.end()].isspace() and source[match.end()] != ">":
            raise reader.refuse("Unexpected end of name token", at)
        return match.group().lower(), match.end()
    value, at = [], at + 1
    while at < len(source) and source[at] != quote:
        text, at = read_character(source, at)
        value.append(text)
    if at == len(source):
        raise reader.refuse("Unclosed start tag", begin)
    return "".join(value), at + 1


def read_end_tag(reader: Reader) -> None:
    source, begin = reader.source, reader.at
    if not reader.open:
        raise reader.refuse("Unexpected end tag", begin)
    name = NAME.match(source, begin + 2)
    assert name is not None
    close = skip_blank(source, name.end())
    if source[close : close + 1] != ">":
        raise reader.refuse("Unclosed end tag", begin)
    opened, found = reader.open.pop(), name.group().lower()
    if found and found != opened.tag:
        where = byte_offset(source, begin)
        raise BadMarkup(
            f'Unmatched end tag at byte offset {where}, expected "</{opened.tag}>", found "</{found}>"'
        )
    reader.at = close + 1
    if reader.offset > opened.offset:
        add_entity(reader, opened)


def add_entity(reader: Reader, opened: Open) -> None:
    """Turn a closed tag into its entity; `pre` around `code class="language-..."` becomes one of both."""
    offset, length = opened.offset, reader.offset - opened.offset
    kind, last = TYPES[opened.tag], reader.entities[-1] if reader.entities else None
    if kind == "text_link":
        url = opened.attributes.get("href") or "".join(reader.output[opened.output_index :])
        if (link := link_entity(offset, length, url)) is not None:
            reader.entities.append(link)
        return
    language = opened.attributes.get("class", "").removeprefix("language-") if kind == "code" else ""
    same = last is not None and (last.offset, last.length) == (offset, length)
    if same and last is not None and {kind, last.type} == {"pre", "code"}:
        language = language or (last.language or "")
        reader.entities[-1] = Entity(type="pre", offset=offset, length=length, language=language or None)
        return
    if kind == "blockquote" and "expandable" in opened.attributes:
        kind = "expandable_blockquote"
    emoji = opened.attributes.get("emoji-id", "") if kind == "custom_emoji" else None
    if emoji is not None and not emoji.isdigit():
        raise BadMarkup("Invalid custom emoji identifier specified")
    entity = Entity(type=kind, offset=offset, length=length, language=language or None, custom_emoji_id=emoji)
    reader.entities.append(entity)


def skip_blank(source: str, at: int) -> int:
    match = BLANK.match(source, at)
    return match.end() if match else at
