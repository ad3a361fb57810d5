"""The house's text form, CommonMark with tables and strikethrough: how it is read, and how it is cut.

`cut` makes pieces of a long text that each fit one message. It knows no platform: the channel says what
it shows of a text by a `measure`. How a piece is drawn is left to the channel's own `markup.py`.
https://spec.commonmark.org/0.31.2/
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, link_pairs
from markdown_it.token import Token

from bots.room import Gauge, Measure, Room, most

__all__ = ["Block", "blocks", "cut", "most", "parser", "too_deep"]

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
QUOTE_MARK = re.compile(r"^ {0,3}> ?", re.MULTILINE)
ITEM_MARK = re.compile(r" *(?:[-+*]|\d{1,9}[.)]) {1,4}")
BREAKS = (re.compile(r"\n+"), re.compile(r"(?<=[.!?…。！？])\s+"), re.compile(r"\s+"))
DEEPEST = 60  # the parser drops what is nested deeper; `too_deep` tells
WINDOW = 1000  # how far beyond a cut we look for markup that it would tear
SIGNS = 100  # of a line are enough to see what it begins


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """The one parser. HTML is text; so are reference definitions, which a cut would part from their links."""
    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    return markdown.enable(["table", "strikethrough"]).disable(["reference", "html_block", "html_inline"])


@lru_cache(maxsize=1)
def _outline() -> MarkdownIt:
    """Reads blocks alone, at a fraction of the cost."""
    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    return markdown.enable("table").disable(["reference", "html_block", "inline", "text_join"])


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
    room = Room(gauge=Gauge(measure, limit), limit=limit)
    if room.fits(text):
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
    """A top-level block as it stands in the source, with the blank lines that follow it.

    `inner` is what it is made of, where that is known: the items of a list, the blocks of a quote.
    """

    kind: str
    source: str
    inner: tuple["Block", ...] = ()


def blocks(source: str) -> list[Block]:
    """The top-level blocks; their sources joined are the whole."""
    lines = _lines(source)
    tokens = [token for token in _outline().parse(source) if token.nesting >= 0 and token.map]
    tops = [token for token in tokens if token.level == 0]
    starts = [0, *(_line(token) for token in tops[1:]), len(lines)]
    items = [_line(token) for token in tokens if token.level == 1 and token.type == "list_item_open"]

    def block(token: Token, begin: int, end: int) -> Block:
        own = items[bisect_left(items, begin) : bisect_left(items, end)]
        inner = ("".join(lines[a:b]) for a, b in zip([begin, *own[1:]], [*own[1:], end], strict=True))
        return Block(
            kind=token.type.removesuffix("_open"),
            source="".join(lines[begin:end]),
            inner=tuple(Block(kind="list_item", source=item) for item in inner) if own else (),
        )

    return [block(*place) for place in zip(tops, starts, starts[1:], strict=False)]


def start(rest: Sequence[Block], room: Room) -> tuple[str, list[Block]]:
    """Fill one piece from the front; returns it and the blocks still to come.

    The piece may be empty when a block had to be loosened first; then the blocks have changed.
    """
    count = room.most(len(rest), lambda n: _join(rest[:n]))
    whole, left = _join(rest[:count]), list(rest[count:])
    if not left or (whole and room.seems_to_fit(left[0].source)):
        return whole, left
    head, tail = _split(left[0], room.inside(lambda source: whole + source) if whole else room)
    if not whole and not head and _join(tail) == left[0].source:
        head, tail = _split_text(left[0], room)
    return whole + head, [*tail, *left[1:]]


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
    items = block.inner
    count = room.most(len(items), lambda n: _join(items[:n]))
    head, rest = items[:count], items[count:]
    if rest and (loose := _loosened(rest[0].source)) != rest[0].source:
        too_long = not room.wraps if not count else not room.seems_to_fit(rest[0].source)
        if too_long:
            return "", [*_made_of(block.kind, head), *blocks(loose), *_made_of(block.kind, rest[1:])]
    return _join(head), _made_of(block.kind, rest)


def _loosened(item: str) -> str:
    """An item whose later lines no longer belong to it: its code and lists stand at the top level."""
    mark = ITEM_MARK.match(item)
    first, *later = _lines(item)
    indent = mark.end() if mark else 0
    return first + "".join(line[min(indent, len(line) - len(line.lstrip(" "))) :] for line in later)


def _split_quote(block: Block, room: Room) -> tuple[str, list[Block]]:
    inner = block.inner or blocks(QUOTE_MARK.sub("", block.source))
    head, rest = start(inner, room.inside(_quoted))
    left = Block(kind="blockquote", source=_quoted(_join(rest)), inner=tuple(rest))
    return (_quoted(head) if head else ""), [left] if rest else []


def _split_text(block: Block, room: Room) -> tuple[str, list[Block]]:
    source = block.source
    at = next(_whole_places(source, room.guess(len(source), lambda n: source[:n])), 0)
    if not room.is_filled_by(source[:at]):
        end = max(room.most(len(source), lambda n: source[:n]), 1)
        at = next((at for at in _whole_places(source, end) if room.fits(source[:at])), 0)
        at = at or next((at for at in islice(_places(source, end, ()), 1) if room.fits(source[:at])), end)
    return source[:at], _one("paragraph", source[at:].lstrip())


def _whole_places(source: str, end: int) -> Iterator[int]:
    """Where to cut before `end` so that all that is shown stays as it is."""
    kinds = {"paragraph", _kind(source)}
    places = _places(source, end, _spans(source[: end + WINDOW]))
    return (at for at in places if _kind(source[at:]) in kinds)


def _kind(source: str) -> str:
    """What its first line begins: torn off, a line with a sign in front would become a list or a heading."""
    first = source.lstrip().split("\n", 1)[0]
    return next((token.type for token in _outline().parse(first[:SIGNS])), "paragraph").removesuffix("_open")


Span = tuple[int, int]


def _spans(source: str) -> list[Span]:
    """Where the links, code and emphasis stand that a cut would tear: torn, they show their signs."""
    state = StateInline(source, parser(), {}, [])
    rules = state.md.inline.ruler.getRules("")
    spans: list[Span] = []
    signs: list[Span] = []  # of each delimiter of emphasis, the run it stands in
    while state.pos < state.posMax:
        begin = state.pos
        if not any(rule(state, False) for rule in rules):
            state.pos += 1
        elif source[begin] in "[!<`\\&":
            spans.append((begin, state.pos))
        signs += [(begin, state.pos)] * (len(state.delimiters) - len(signs))
    link_pairs(state)
    pairs = ((sign, at) for sign, at in zip(signs, state.delimiters, strict=True) if at.end >= 0)
    return spans + [(begin, signs[at.end][1]) for (begin, _), at in pairs]


def _places(source: str, end: int, spans: Sequence[Span]) -> Iterator[int]:
    """Where to cut before `end` and outside of `spans`, best first: lines, sentences, words, then between
    characters."""
    inside = bytearray(end + WINDOW)
    for begin, stop in spans:
        inside[begin + 1 : stop] = b"x" * (stop - begin - 1)
    for pattern in BREAKS:
        found = [match.end() for match in pattern.finditer(source, end // 2, end)]
        yield from islice((at for at in reversed(found) if not inside[at]), 8)
    between = (at for at in range(end, end // 2, -1) if not _joins(source[at : at + 1]))
    yield from islice((at for at in between if not inside[at]), 8)


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


def _line(token: Token) -> int:
    return token.map[0] if token.map else 0


def _one(kind: str, source: str) -> list[Block]:
    return [Block(kind=kind, source=source)] if source.strip() else []


def _made_of(kind: str, inner: Sequence[Block]) -> list[Block]:
    return [Block(kind=kind, source=_join(inner), inner=tuple(inner))] if inner else []


def _join(some: Sequence[Block]) -> str:
    return "".join(block.source for block in some)
