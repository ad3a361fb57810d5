"""The house's text form, CommonMark with tables and strikethrough: how it is read, and how it is cut.

`cut` makes pieces of a long text that each fit one message. It knows no platform: the channel says what
it shows of a text by a `measure`. How a piece is drawn is left to the channel's own `markup.py`.
https://spec.commonmark.org/0.31.2/
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.token import Token

Measure = Callable[[str], int]
Wrap = Callable[[str], str]

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
QUOTE_MARK = re.compile(r"^ {0,3}> ?", re.MULTILINE)
ITEM_MARK = re.compile(r" *(?:[-+*]|\d{1,9}[.)]) {1,4}")
BREAKS = (re.compile(r"\n+"), re.compile(r"(?<=[.!?…。！？])\s+"), re.compile(r"\s+"))
DEEPEST = 60  # the parser drops what is nested deeper; `too_deep` tells
WINDOW = 1000  # how far beyond a cut we look for markup that it would tear


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """The one parser. HTML is text; so are reference definitions, which a cut would part from their links."""
    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    return markdown.enable(["table", "strikethrough"]).disable("reference")


def too_deep(tokens: Sequence[Token]) -> bool:
    """Did the parser give up on nesting, and leave text out?"""
    return any(token.level >= DEEPEST - 2 for token in tokens)


def cut(text: str, limit: int, measure: Measure) -> tuple[str, ...]:
    """Cut CommonMark into pieces for which `measure` gives at most `limit`: at least one, in order.

    It cuts between blocks where it can, then between list items, table rows (the header again on each
    piece), lines of code (the fence reopened with its language) and sentences; inside a link or emphasis
    only when there is no other place. Nothing but blank space at the cuts is lost.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    room = Room(measure=measure, limit=limit)
    if measure(text) <= limit:
        return (text,)
    pieces: list[str] = []
    rest = blocks(text)
    while rest:
        piece, rest = start(rest, room)
        if piece.strip():
            pieces.append(piece.strip("\n"))
    return tuple(pieces) or (text,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A top-level block as it stands in the source, with the blank lines that follow it."""

    kind: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one piece may hold, and what will be put round it before it is shown."""

    measure: Measure
    limit: int
    wraps: tuple[Wrap, ...] = ()

    def fits(self, source: str) -> bool:
        return self.size(source) <= self.limit

    def size(self, source: str) -> int:
        if len(source) > 4 * self.limit:  # too long, surely enough: measuring a book for every piece is dear
            return len(source)
        for wrap in self.wraps:
            source = wrap(source)
        return self.measure(source)

    def most(self, count: int, source_of: Callable[[int], str], guess: int = 1) -> int:
        """How many of something fit, when `source_of(n)` is the source of n of them."""
        return most(count, lambda n: self.size(source_of(n)), self.limit, guess)

    def inside(self, wrap: Wrap) -> "Room":
        return replace(self, wraps=(wrap, *self.wraps))

    def tears(self, source: str, at: int) -> bool:
        """Would a cut here change what is shown? Torn markup shows its signs, or hides some."""
        head, tail = source[:at], source[at : at + WINDOW]
        apart = self.measure(head.rstrip()) + self.measure(tail.lstrip())
        blank = len(head) - len(head.rstrip()) + len(tail) - len(tail.lstrip())
        return not 0 <= self.measure(head + tail) - apart <= blank


def blocks(source: str) -> list[Block]:
    """The top-level blocks; their sources joined are the whole."""
    lines = _lines(source)
    tokens = [token for token in parser().parse(source) if token.level == 0 and token.nesting >= 0]
    starts = [0, *(token.map[0] for token in tokens[1:] if token.map), len(lines)]
    return [
        Block(kind=token.type.removesuffix("_open"), source="".join(lines[begin:end]))
        for token, begin, end in zip(tokens, starts, starts[1:], strict=False)
    ]


def start(rest: Sequence[Block], room: Room) -> tuple[str, list[Block]]:
    """Fill one piece from the front; returns it and the blocks still to come.

    The piece may be empty when a block had to be loosened first; then the blocks have changed.
    """
    count = room.most(len(rest), lambda n: _join(rest[:n]))
    whole, left = _join(rest[:count]), list(rest[count:])
    if not left or room.fits(left[0].source):
        return whole, left
    head, tail = _split(left[0], room.inside(lambda source: whole + source) if whole else room)
    if not whole and not head and _join(tail) == left[0].source:
        head, tail = _split_text(left[0], room)
    return whole + head, [*tail, *left[1:]]


def most(count: int, size: Callable[[int], int], limit: int, guess: int = 1) -> int:
    """About the largest n up to `count` whose size is within the limit; 0 when not even 1 is.

    Sizes grow nearly in step with n, so the next guess is by proportion; a few parses do instead of
    a dozen. Less than a twentieth of the limit may stay unused.
    """
    low, high, tries = 0, count + 1, 0
    while high - low > 1:
        guess = max(low + 1, min(guess, high - 1))
        found = size(guess)
        low, high = (guess, high) if found <= limit else (low, guess)
        if 0.95 * limit < found <= limit:
            break
        tries += 1
        guess = guess * limit // max(found, 1) if tries < 6 else (low + high) // 2
    return low


def _split(block: Block, room: Room) -> tuple[str, list[Block]]:
    match block.kind:
        case "fence":
            return _split_fence(block.source, room)
        case "code_block":
            return _split_fence(_fenced(block.source), room)
        case "table":
            return _split_table(block, room)
        case "bullet_list" | "ordered_list":
            return _split_list(block, room)
        case "blockquote":
            return _split_quote(block, room)
        case _ if room.wraps:
            return "", [block]  # a paragraph starts better on a message of its own
        case _:
            return _split_text(block, room)


def _split_fence(source: str, room: Room) -> tuple[str, list[Block]]:
    opening, *body = source.rstrip("\n").split("\n")
    found = FENCE.match(opening)
    mark = found.group(1) if found else "```"
    if body and body[-1].strip().startswith(mark) and not body[-1].strip().strip(mark[0]):
        body.pop()

    def wrap(lines: Sequence[str]) -> str:
        return "\n".join([opening, *lines, mark]) + "\n\n"

    count = room.most(len(body), lambda n: wrap(body[:n]))
    if count:
        return wrap(body[:count]), _one("fence", wrap(body[count:]) if body[count:] else "")
    line = body[0] if body else ""
    width = room.most(len(line), lambda n: wrap([line[:n]]))
    if room.wraps or not width:
        return "", _one("fence", source)
    return wrap([line[:width]]), _one("fence", wrap([line[width:], *body[1:]]))


def _split_table(block: Block, room: Room) -> tuple[str, list[Block]]:
    lines = block.source.rstrip("\n").split("\n")
    header, rows = lines[:2], lines[2:]

    def wrap(some: Sequence[str]) -> str:
        return "\n".join([*header, *some]) + "\n\n"

    count = room.most(len(rows), lambda n: wrap(rows[:n]))
    if not count:
        return "", [block]
    return wrap(rows[:count]), _one("table", wrap(rows[count:]) if rows[count:] else "")


def _split_list(block: Block, room: Room) -> tuple[str, list[Block]]:
    lines = _lines(block.source)
    tokens = [token for token in parser().parse(block.source) if token.type == "list_item_open"]
    starts = [token.map[0] for token in tokens if token.level == 1 and token.map]
    items = ["".join(lines[a:b]) for a, b in zip(starts, [*starts[1:], len(lines)], strict=True)]
    for index, item in enumerate(items):
        if (loose := _loosened(item)) != item and not room.fits(item):
            before, after = "".join(items[:index]), "".join(items[index + 1 :])
            return "", [*_one(block.kind, before), *blocks(loose), *_one(block.kind, after)]
    count = room.most(len(items), lambda n: "".join(items[:n]))
    return "".join(items[:count]), _one(block.kind, "".join(items[count:]))


def _loosened(item: str) -> str:
    """An item whose later lines no longer belong to it: its code and lists stand at the top level."""
    mark = ITEM_MARK.match(item)
    first, *later = _lines(item)
    indent = mark.end() if mark else 0
    return first + "".join(line[min(indent, len(line) - len(line.lstrip(" "))) :] for line in later)


def _split_quote(block: Block, room: Room) -> tuple[str, list[Block]]:
    inner = QUOTE_MARK.sub("", block.source)
    head, rest = start(blocks(inner), room.inside(_quoted))
    return (_quoted(head) if head else ""), _one("blockquote", _quoted(_join(rest)) if rest else "")


def _split_text(block: Block, room: Room) -> tuple[str, list[Block]]:
    source = block.source
    end = room.most(len(source), lambda n: source[:n], guess=room.limit)
    places = [at for at in _places(source, end) if at]
    whole = (at for at in places if not room.tears(source, at) and room.fits(source[:at]))
    at = next(whole, places[0] if places and room.fits(source[: places[0]]) else max(end, 1))
    return source[:at], _one("paragraph", source[at:].lstrip())


def _places(source: str, end: int) -> Iterator[int]:
    """Where to cut before `end`, best first: lines, sentences, words, then between characters."""
    for pattern in BREAKS:
        found = [match.end() for match in pattern.finditer(source, end // 2, end)]
        yield from reversed(found[-8:])
    yield from islice((at for at in range(end, end // 2, -1) if not _joins(source[at : at + 1])), 8)


def _joins(character: str) -> bool:
    """Does it belong to the character before it, as accents, joiners and skin tones do?"""
    return character != "" and (
        unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf")
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _fenced(source: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    mark = "`" * max(3, longest + 1)
    body = re.sub(r"^(?: {1,4}|\t)", "", source.strip("\n"), flags=re.MULTILINE)
    return f"{mark}\n{body}\n{mark}\n\n"


def _quoted(source: str) -> str:
    return "\n".join(f"> {line}" for line in source.strip("\n").split("\n")) + "\n\n"


def _lines(source: str) -> list[str]:
    # Only line feeds: a line separator or a form feed inside a line is text to the parser.
    return re.findall(r"[^\n]*\n|[^\n]+", source)


def _one(kind: str, source: str) -> list[Block]:
    return [Block(kind=kind, source=source)] if source.strip() else []


def _join(some: Sequence[Block]) -> str:
    return "".join(block.source for block in some)
