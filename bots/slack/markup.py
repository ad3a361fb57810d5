"""CommonMark drawn for Slack, twice: as mrkdwn in `text`, and as a markdown block where that is safe.

Slack's clients show the block and take the text for notifications, searches and where blocks are not known,
so both hold the whole. mrkdwn is made by us from the parser's tree with all text escaped. A block takes
Markdown as it stands; so a text in which something could ring everybody's bell, or a link could lie, gets no
block. Cutting is left to `bots/markdown.py`.
https://docs.slack.dev/messaging/formatting-message-text and
https://docs.slack.dev/reference/block-kit/blocks/markdown-block
"""

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from markdown_it.tree import SyntaxTreeNode

from bots.links import host_of, is_lie
from bots.markdown import cut, parser, too_deep
from bots.tables import align

MAX_TEXT = 4000
"""Of both forms: what is posted must fit an edit, and `chat.update` takes no longer text."""

MARKS = {"strong": "*", "em": "_", "s": "~"}
SCHEMES = ("http", "https", "mailto")
RULE = "──────────"
LIST_INDENT = "    "
JOINER = "\u2060"  # seen by nobody, and it parts a name from its `@`
SHOUT = re.compile(r"(?<![\w@])@(?=(?:here|channel|everyone|group)\b)", re.IGNORECASE)
CALL = re.compile(
    r"(?:<|&lt;|&#0*60;|&#x0*3c;)(?:@[UWB][A-Z0-9]|#[CDG][A-Z0-9]"
    r"|!(?:here|channel|everyone|group|subteam|date)\b)",
    re.IGNORECASE,
)
DEFINITION = re.compile(r"^[ >]*\[[^\]\n]+\]:", re.MULTILINE)

Draw = Callable[[Sequence[SyntaxTreeNode], "Drawing"], str]


def render(text: str) -> str:
    """CommonMark as mrkdwn. Any text renders, half-written ones too."""
    whole = whole_characters(text)
    tokens = parser().parse(whole)
    drawn = "" if too_deep(tokens) else _blocks(SyntaxTreeNode(tokens).children, Drawing())
    # A lone opening fence shows nothing, and Slack takes no empty message.
    return drawn if drawn.strip() else escaped(whole)


def markdown(text: str) -> str | None:
    """The text for a markdown block; None where only our own drawing is safe to show."""
    whole = whole_characters(text)
    if not whole.strip() or SHOUT.search(whole) or CALL.search(whole) or DEFINITION.search(whole):
        return None
    tokens = parser().parse(whole)
    if too_deep(tokens):
        return None
    if any(is_lie(_target(link), _bare(link)) for link in _links(SyntaxTreeNode(tokens))):
        return None
    return whole


def measure(text: str) -> int:
    """The larger of both forms, in UTF-16 units: Slack does not say how it counts."""
    return max(utf16_length(render(text)), utf16_length(text))


def split(text: str) -> tuple[str, ...]:
    """Cut CommonMark into pieces that each fit one Slack message, and each edit of it."""
    return cut(whole_characters(text), MAX_TEXT, measure)


def escaped(text: str) -> str:
    """Text in which nothing is markup of Slack's: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SHOUT.sub(f"@{JOINER}", safe)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def whole_characters(text: str) -> str:
    """Half a surrogate pair, as a cut stream may leave, cannot be sent: it becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Drawing:
    """One text being drawn: which marks are open now, and how deep in lists it is."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.depth = 0

    def marked(self, mark: str, nodes: Sequence[SyntaxTreeNode], draw: Draw) -> str:
        """A mark inside itself would end it, and one around blanks shows its signs."""
        if mark in self.open:
            return draw(nodes, self)
        self.open.append(mark)
        inner = draw(nodes, self)
        self.open.pop()
        bare = inner.strip()
        if not bare or "\n" in bare or mark in bare:
            return inner
        before, _, after = inner.partition(bare)
        return f"{before}{mark}{bare}{mark}{after}"


def _blocks(nodes: Sequence[SyntaxTreeNode], drawing: Drawing, between: str = "\n\n") -> str:
    return between.join(drawn for node in nodes if (drawn := _block(node, drawing)))


def _block(node: SyntaxTreeNode, drawing: Drawing) -> str:
    match node.type:
        case "heading":
            return drawing.marked("*", node.children, _inlines)
        case "fence" | "code_block":
            return fenced(node.content.removesuffix("\n"))
        case "blockquote":
            return "\n".join(f"> {line}" for line in _blocks(node.children, drawing).split("\n"))
        case "bullet_list" | "ordered_list":
            return _list(node, drawing)
        case "table":
            return fenced(align(node, _cell))
        case "hr":
            return RULE
        case _:
            return _inlines(node.children, drawing)


def fenced(code: str) -> str:
    """A block of code. Slack has no way to write the fence itself inside it."""
    return f"```\n{escaped(code.replace('```', f'`{JOINER}`{JOINER}`'))}\n```" if code else ""


def _list(node: SyntaxTreeNode, drawing: Drawing) -> str:
    number = int(node.attrs.get("start", 1))
    lines = []
    for item in node.children:
        mark = "•" if node.type == "bullet_list" else f"{number}."
        indent = LIST_INDENT * drawing.depth
        drawing.depth += 1
        lines.append(f"{indent}{mark} {_item(item, drawing)}")
        drawing.depth -= 1
        number += 1
    return "\n".join(lines)


def _item(node: SyntaxTreeNode, drawing: Drawing) -> str:
    begins_below = bool(node.children) and node.children[0].type != "paragraph"
    return ("\n" if begins_below else "") + _blocks(node.children, drawing, "\n")


def _inlines(nodes: Sequence[SyntaxTreeNode], drawing: Drawing) -> str:
    return "".join(_inline(node, drawing) for node in nodes)


def _inline(node: SyntaxTreeNode, drawing: Drawing) -> str:
    match node.type:
        case "strong" | "em" | "s":
            return drawing.marked(MARKS[node.type], node.children, _inlines)
        case "code_inline":
            return f"`{escaped(node.content.replace('`', 'ˋ'))}`"
        case "softbreak" | "hardbreak":
            return "\n"
        case "link" | "image":
            return _link(node, drawing)
        case "inline":
            return _inlines(node.children, drawing)
        case _:
            return escaped(node.content)


def _link(node: SyntaxTreeNode, drawing: Drawing) -> str:
    """A link that cannot lie: a label that names another host is followed by the real one. What Slack makes
    no link of, such as a path, is written out; so is a link inside a link."""
    target = _target(node)
    shown = escaped(target.removeprefix("mailto:"))
    label = _inlines(node.children or [], drawing)
    if not label.strip() or label == shown:
        return shown
    if urlsplit(target).scheme.lower() not in SCHEMES or "<" in label or "\n" in label:
        return f"{label} ({shown})"
    safe = escaped(target).replace("|", "%7C")
    linked = f"<{safe}|{label.replace('|', '¦')}>"
    return f"{linked} ({escaped(host_of(target))})" if is_lie(target, _bare(node)) else linked


def _links(node: SyntaxTreeNode) -> Iterator[SyntaxTreeNode]:
    return (each for each in node.walk() if each.type in ("link", "image"))


def _target(node: SyntaxTreeNode) -> str:
    return str(node.attrs["href" if node.type == "link" else "src"])


def _bare(node: SyntaxTreeNode) -> str:
    """The text of a node, markup left away."""
    if node.type in ("softbreak", "hardbreak"):
        return " "
    if node.children:
        return "".join(_bare(child) for child in node.children)
    return node.content if node.type in ("text", "code_inline") else ""


def _cell(cell: SyntaxTreeNode) -> str:
    """A table's cell as bare text: fixed width takes no links, so each shows its address."""
    told = [_target(link) for link in _links(cell) if _target(link) != _bare(link)]
    return " ".join([_bare(cell).strip(), *(f"({target})" for target in told)]).strip()
