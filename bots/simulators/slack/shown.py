"""What the eye sees of a message: plain text, and what lies over it (emphasis, code, links, mentions).

Offsets and lengths count characters. Which mentions ring somebody's bell and which links grow a preview is
told from here too.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

RINGING = frozenset({"broadcast", "usergroup", "user"})
URL = re.compile(r"https?://[^\s<>|\"]+[^\s<>|\".,;:!?)'*_~`]")
ANGLE = re.compile(r"<([@#!]?[^<>\n]+)>")
SCHEME = re.compile(r"(?:https?|mailto|tel|slack|ftp):\S+")
MEDIA = re.compile(r"\.(?:png|jpe?g|gif|webp|mp4|mov|mp3)$", re.IGNORECASE)
MEDIA_HOSTS = frozenset({"youtube.com", "youtu.be", "vimeo.com", "open.spotify.com"})

Names = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A text without markup and its entities."""

    text: str
    entities: tuple[dict[str, Any], ...] = ()

    @property
    def pings(self) -> list[str]:
        """The mentions that notify people, as they are written, each once."""
        return list(dict.fromkeys(each["target"] for each in self.entities if each["type"] in RINGING))

    @property
    def mass_pings(self) -> list[str]:
        return [target for target in self.pings if target.startswith("<!")]

    def unfurls(self, *, links: bool, media: bool) -> list[str]:
        """Return the addresses that get a preview (docs.slack.dev/messaging/unfurling-links-in-messages)."""
        urls = dict.fromkeys(each["url"] for each in self.entities if each["type"] == "link")
        return [url for url in urls if url.startswith("http") and (media if is_media(url) else links)]


@dataclass(slots=True)
class Writer:
    """Collects what is seen; `names` tells what a user's or channel's id is shown as."""

    names: Names
    parts: list[str] = field(default_factory=list)
    length: int = 0
    entities: list[dict[str, Any]] = field(default_factory=list)

    def emit(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def mark(self, kind: str, start: int, **fields: Any) -> None:
        if self.length > start:
            self.entities.append({"type": kind, "offset": start, "length": self.length - start, **fields})

    def emit_linked(self, text: str) -> None:
        """Write text in which bare addresses become links, as clients and the server make them."""
        last = 0
        for match in URL.finditer(text):
            self.emit(text[last : match.start()])
            start, last = self.length, match.end()
            self.emit(match.group())
            self.mark("link", start, url=match.group())
        self.emit(text[last:])

    def emit_angle(self, inside: str, decode: Callable[[str], str]) -> None:
        """Write what `<inside>` stands for (docs.slack.dev/messaging/formatting-message-text#advanced)."""
        head, _, label = inside.partition("|")
        label, start = decode(label), self.length
        if match := re.fullmatch(r"@([UWB][A-Z0-9]+)", head):
            self.emit(f"@{self.names(match.group(1))}")
            self.mark("user", start, target=f"<{head}>")
        elif match := re.fullmatch(r"#([CDG][A-Z0-9]+)", head):
            self.emit(f"#{label or self.names(match.group(1))}")
            self.mark("channel", start, target=f"<{head}>")
        elif head in ("!here", "!channel", "!everyone", "!group"):
            self.emit(f"@{head[1:]}")
            self.mark("broadcast", start, target=f"<{head}>")
        elif match := re.fullmatch(r"!subteam\^([A-Z0-9]+)", head):
            self.emit(label or f"@{match.group(1)}")
            self.mark("usergroup", start, target=f"<{head}>")
        elif head.startswith("!date^"):
            self.emit(label)
        elif SCHEME.fullmatch(head):
            self.emit(label or decode(head.removeprefix("mailto:")))
            self.mark("link", start, url=decode(head))
        else:
            self.emit(f"<{decode(inside)}>")

    def done(self) -> Shown:
        ordered = sorted(self.entities, key=lambda each: (each["offset"], -each["length"]))
        return Shown("".join(self.parts), tuple(ordered))


def joined(pieces: Iterable[Shown], between: str = "\n") -> Shown:
    """Put pieces one under the other; empty ones are left out."""
    text, entities = "", []
    for piece in pieces:
        if not piece.text:
            continue
        text += between if text else ""
        entities += [{**each, "offset": each["offset"] + len(text)} for each in piece.entities]
        text += piece.text
    return Shown(text, tuple(entities))


def is_media(url: str) -> bool:
    parts = urlsplit(url)
    return bool(MEDIA.search(parts.path)) or (parts.hostname or "").removeprefix("www.") in MEDIA_HOSTS
