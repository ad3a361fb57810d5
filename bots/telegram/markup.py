"""CommonMark drawn as Telegram's HTML: https://core.telegram.org/bots/api#html-style

Every tag here is made by us from the parser's tree and all text is escaped, so nobody's text can bring a
tag in. What a reader sees is counted in UTF-16 units, as the platform does. Cutting is left to
`bots/markdown.py`.
"""

import html
import re
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from markdown_it.tree import SyntaxTreeNode

from bots.links import host_of, is_lie
from bots.markdown import cut, parser, too_deep
from bots.telegram.tables import draw_table

MAX_TEXT = 4096

TAGS = {"strong": "b", "em": "i", "s": "s"}
SCHEMES = ("http", "https", "tg")
RULE = "──────────"
TAG = re.compile(r"<[^<>]*>")
LANGUAGE = re.compile(r"[\w+#.-]+")
LIST_INDENT = "   "


def render(text: str) -> str:
    """CommonMark as HTML for `parse_mode=HTML`. Any text renders, half-written ones too."""
    whole = whole_characters(text)
    tokens = parser().parse(whole)
    drawn = "" if too_deep(tokens) else _blocks(SyntaxTreeNode(tokens).children, Drawing())
    # A lone opening fence shows nothing, and Telegram takes no empty message.
    return drawn if seen(drawn).strip() else html.escape(whole, quote=False)


def seen(drawn: str) -> str:
    """The text that a reader of this HTML sees: what is sent when the HTML is refused."""
    return html.unescape(TAG.sub("", drawn))


def measure(text: str) -> int:
    """UTF-16 units of this CommonMark with its tags and escapes. Telegram counts what is left when they
    are read, which is never more; servers that only stand in for it count what is sent: a piece fits both.
    """
    return utf16_length(render(text))


def split(text: str) -> tuple[str, ...]:
    """Cut CommonMark into pieces that each fit one Telegram message."""
    return cut(whole_characters(text), MAX_TEXT, measure)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def whole_characters(text: str) -> str:
    """Half a surrogate pair, as a cut stream may leave, cannot be sent: it becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


Draw = Callable[[Sequence[SyntaxTreeNode], "Drawing"], str]


class Drawing:
    """One text being drawn: which tags are open now."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.depth = 0

    def tagged(self, tag: str, nodes: Sequence[SyntaxTreeNode], draw: Draw) -> str:
        """Telegram nests no tag in itself: the inner one is left out."""
        if tag in self.open:
            return draw(nodes, self)
        self.open.append(tag)
        inner = draw(nodes, self)
        self.open.pop()
        return f"<{tag}>{inner}</{tag}>" if inner else ""


def _blocks(nodes: Sequence[SyntaxTreeNode], drawing: Drawing, between: str = "\n\n") -> str:
    return between.join(drawn for node in nodes if (drawn := _block(node, drawing)))


def _block(node: SyntaxTreeNode, drawing: Drawing) -> str:
    match node.type:
        case "heading":
            return drawing.tagged("b", node.children, _inlines)
        case "fence" | "code_block":
            return _code(node)
        case "blockquote":
            return drawing.tagged("blockquote", node.children, _blocks)
        case "bullet_list" | "ordered_list":
            return _list(node, drawing)
        case "table":
            return draw_table(node, _cell)
        case "hr":
            return RULE
        case _:
            return _inlines(node.children, drawing)


def _code(node: SyntaxTreeNode) -> str:
    code = html.escape(node.content.removesuffix("\n"), quote=False)
    language = LANGUAGE.match(node.info.strip())
    if not code:
        return ""
    return (
        f'<pre><code class="language-{language.group()}">{code}</code></pre>'
        if language
        else f"<pre>{code}</pre>"
    )


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
            return drawing.tagged(TAGS[node.type], node.children, _inlines)
        case "code_inline":
            return f"<code>{html.escape(node.content, quote=False)}</code>"
        case "softbreak" | "hardbreak":
            return "\n"
        case "link":
            return _link(str(node.attrs["href"]), _inlines(node.children, drawing))
        case "image":
            return _link(str(node.attrs["src"]), _inlines(node.children or [], drawing))
        case "inline":
            return _inlines(node.children, drawing)
        case _:
            return html.escape(node.content, quote=False)


def _link(target: str, label: str) -> str:
    """A link that cannot lie: a label that names another host is followed by the real one.

    What Telegram makes no link of is written out; it finds mail addresses by itself.
    """
    shown = html.escape(target.removeprefix("mailto:"), quote=False)
    if not label.strip():
        label = shown
    if "<a " in label:  # an image inside a link: Telegram nests no links
        return f"{label} ({shown})"
    if urlsplit(target).scheme.lower() not in SCHEMES:
        return f"{label} ({shown})" if label != shown else label
    linked = f'<a href="{html.escape(target)}">{label}</a>'
    return (
        f"{linked} ({html.escape(host_of(target), quote=False)})" if is_lie(target, seen(label)) else linked
    )


def _cell(node: SyntaxTreeNode) -> str:
    """A table's cell as bare text: a fixed-width block takes no tags, so a link shows its address."""
    match node.type:
        case "link" | "image":
            target = str(node.attrs["href" if node.type == "link" else "src"])
            label = "".join(_cell(child) for child in node.children or [])
            return label if label == target else f"{label} ({target})"
        case "softbreak" | "hardbreak":
            return " "
        case _ if node.children:
            return "".join(_cell(child) for child in node.children)
        case _:
            return node.content if node.type in ("text", "code_inline") else ""
