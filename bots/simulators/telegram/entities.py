"""What Telegram makes of a formatted text: the plain text people see and the entities laid over it.

Written from the platform's rules alone (core.telegram.org/bots/api#formatting-options) and apart from the
gateway's renderer, so that the one can be tried against the other. Bad markup is refused in the platform's
own words. The two grammars are in `html` and `markdown`; here is what they share.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

KNOWN_TYPES = frozenset(
    [
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "blockquote",
        "expandable_blockquote",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "date_time",
    ]
)
DETECTED = (
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("mention", re.compile(r"(?<![\w@/])@[A-Za-z][A-Za-z0-9_]{2,31}\b")),
    ("url", re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)']")),
    ("hashtag", re.compile(r"(?<!\w)#\w*[^\W\d]\w*")),
)
ADDRESS = re.compile(
    r"(?:(https?|ftp)://)?([^\s/?#:]+\.[^\s/?#.:]{2,}|localhost)(:\d+)?([/?#]\S*)?", re.IGNORECASE
)


class BadMarkup(ValueError):
    """A text that the platform refuses; the words are its own, after `can't parse entities: `."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A stretch of text with a meaning; offset and length count UTF-16 units (#messageentity)."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    user_id: int | None = None
    custom_emoji_id: str | None = None

    @property
    def end(self) -> int:
        return self.offset + self.length

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"type": self.type, "offset": self.offset, "length": self.length}
        for name in ("url", "language", "custom_emoji_id"):
            if (value := getattr(self, name)) is not None:
                body[name] = value
        if self.user_id is not None:
            body["user"] = {"id": self.user_id, "is_bot": False, "first_name": str(self.user_id)}
        return body


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text without markup, and its entities by offset, outer ones first."""

    text: str
    entities: tuple[Entity, ...]


Parser = Callable[[str], Formatted]


def utf16_length(text: str) -> int:
    """Return the length as Telegram counts it: characters outside the basic plane are two units."""
    return len(text) + sum(character > "\uffff" for character in text)


def byte_offset(text: str, index: int) -> int:
    """Return where the character stands in UTF-8, which is how the platform's refusals count."""
    return len(text[:index].encode("utf-8", "surrogatepass"))


def settle(text: str, entities: Sequence[Entity]) -> Formatted:
    """Cut the blank ends off, as the platform does before it counts, and fit the entities to what is left."""
    # Blanks inside an entity stay at the start: code may be indented.
    kept_from = min((entity.offset for entity in entities), default=None)
    start = len(text) - len(text.lstrip())
    if kept_from is not None:
        start = min(start, kept_from)
    shown = text[start:].rstrip()
    removed, limit = utf16_length(text[:start]), utf16_length(shown)
    fitted = []
    for entity in entities:
        offset = max(entity.offset - removed, 0)
        length = min(entity.end - removed, limit) - offset
        if length > 0:
            fitted.append(replace(entity, offset=offset, length=length))
    fitted.sort(key=lambda entity: (entity.offset, -entity.length))
    return Formatted(shown, tuple(fitted))


def detect(text: str) -> list[Entity]:
    """Find what clients and the server find by themselves: commands, mentions, links and hashtags."""
    found: list[Entity] = []
    for kind, pattern in DETECTED:
        for match in pattern.finditer(text):
            offset, length = utf16_length(text[: match.start()]), utf16_length(match.group())
            if not any(offset < other.end and other.offset < offset + length for other in found):
                found.append(Entity(type=kind, offset=offset, length=length))
    return sorted(found, key=lambda entity: entity.offset)


def given_entities(text: str, entities: Sequence[dict[str, Any]]) -> Formatted:
    """Read the `entities` parameter, which stands in for a parse mode; raises BadMarkup."""
    total, read = utf16_length(text), []
    for body in entities:
        kind, offset, length = body.get("type"), body.get("offset"), body.get("length")
        if kind not in KNOWN_TYPES or not isinstance(offset, int) or not isinstance(length, int):
            raise BadMarkup(f"Unsupported entity {body!r}")
        if offset < 0 or length <= 0 or offset + length > total:
            raise BadMarkup(f"Entity beginning at UTF-16 offset {offset} ends after the end of the text")
        user = body.get("user") or {}
        read.append(
            Entity(
                type=kind,
                offset=offset,
                length=length,
                url=body.get("url"),
                language=body.get("language"),
                user_id=user.get("id"),
                custom_emoji_id=body.get("custom_emoji_id"),
            )
        )
    return settle(text, read)


def link_entity(offset: int, length: int, url: str) -> Entity | None:
    """Return what a link becomes: a mention by user id, a link, or nothing where it leads nowhere."""
    mention = re.fullmatch(r"tg:(?://)?user\?id=(\d+)", url)
    if mention:
        return Entity(type="text_mention", offset=offset, length=length, user_id=int(mention.group(1)))
    if (address := checked_address(url)) is None:
        return None
    return Entity(type="text_link", offset=offset, length=length, url=address)


def checked_address(url: str) -> str | None:
    """Complete an address as the platform does (http is assumed, the path is at least `/`)."""
    url = url.strip()
    if re.match(r"(?i)(tg|ton|tonsite):", url):
        return url
    match = ADDRESS.fullmatch(url)
    if match is None:
        return None
    scheme, host, port, path = match.groups()
    path = path or "/"
    return f"{(scheme or 'http').lower()}://{host}{port or ''}{path if path.startswith('/') else '/' + path}"
