"""CommonMark written as Discord reads it:
https://support.discord.com/hc/en-us/articles/210298617-Markdown-Text-101

The two are close: most text passes as it is, escapes too. What Discord reads otherwise is escaped, what it
does not know is written with what it does: tables as aligned code, deep headings bold, images as links. The
platform counts what is written, signs and all; we count it in UTF-16 units, which never is too few. Cutting
is left to `bots/markdown.py`.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from bots.links import host_of, is_lie
from bots.markdown import DEEPEST, cut, too_deep
from bots.tables import align

MAX_TEXT = 2000

SIGNS = {"strong": "**", "em": "*", "s": "~~"}
HEADINGS = {"h1": "#", "h2": "##", "h3": "###"}
RULE = "──────────"
LANGUAGE = re.compile(r"[\w+#.-]+")
PAIRED = re.compile(r"\|\||__|\*\*|~~|`")
"""In Discord these reach over paragraphs, and mean what CommonMark does not mean by them."""
SMALL_PRINT = re.compile(r"^-#(?= )", re.MULTILINE)
NO_BREAK = "\u200b"  # nothing else keeps a fence inside a fence from ending it
FENCE = "```"

Draw = Callable[[Sequence[SyntaxTreeNode], "Drawing"], str]


def render(text: str) -> str:
    """CommonMark as Discord's dialect. Any text renders, half-written ones too."""
    whole = whole_characters(text)
    tokens = parser().parse(whole)
    drawn = "" if too_deep(tokens) else _blocks(SyntaxTreeNode(tokens).children, Drawing())
    # A lone opening fence shows nothing, and Discord takes no empty message.
    return drawn if drawn.strip() else whole


def measure(text: str) -> int:
    """What Discord will count of this CommonMark, or a little more."""
    return utf16_length(render(text))


def split(text: str) -> tuple[str, ...]:
    """Cut CommonMark into pieces that each fit one Discord message."""
    return cut(whole_characters(text), MAX_TEXT, measure)


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def whole_characters(text: str) -> str:
    """Half a surrogate pair, as a cut stream may leave, cannot be sent: it becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """As the house's parser, but what was escaped stays known as that."""
    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    return markdown.enable(["table", "strikethrough"]).disable(["reference", "text_join"])


class Drawing:
    """One text being drawn: which signs are open now."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.quoted = False

    def signed(self, sign: str, nodes: Sequence[SyntaxTreeNode], draw: Draw) -> str:
        """A sign inside itself would end it: the inner one is left out."""
        if sign in self.open:
            return draw(nodes, self)
        self.open.append(sign)
        inner = draw(nodes, self)
        self.open.pop()
        return f"{sign}{inner}{sign}" if inner.strip() else inner


def _blocks(nodes: Sequence[SyntaxTreeNode], drawing: Drawing, between: str = "\n\n") -> str:
    return between.join(drawn for node in nodes if (drawn := _block(node, drawing)))


def _block(node: SyntaxTreeNode, drawing: Drawing) -> str:
    match node.type:
        case "heading":
            return _heading(node, drawing)
        case "fence" | "code_block":
            return _code(node.content.removesuffix("\n"), node.info)
        case "blockquote":
            return _quote(node, drawing)
        case "bullet_list" | "ordered_list":
            return _list(node, drawing)
        case "table":
            return _code(align(node, _cell))
        case "hr":
            return RULE
        case _:
            return _inlines(node.children, drawing)


def _heading(node: SyntaxTreeNode, drawing: Drawing) -> str:
    sign = HEADINGS.get(node.tag)
    if sign is None:
        return drawing.signed("**", node.children, _inlines)
    text = _inlines(node.children, drawing).replace("\n", " ")
    return f"{sign} {text}" if text else ""


def _code(code: str, info: str = "") -> str:
    if not code.strip():
        return ""
    language = LANGUAGE.match(info.strip())
    body = code.replace(FENCE, f"`{NO_BREAK}`{NO_BREAK}`")
    return f"{FENCE}{language.group() if language else ''}\n{body}\n{FENCE}"


def _quote(node: SyntaxTreeNode, drawing: Drawing) -> str:
    """Discord nests no quotes: the inner one joins the outer."""
    if drawing.quoted:
        return _blocks(node.children, drawing)
    drawing.quoted = True
    inner = _blocks(node.children, drawing)
    drawing.quoted = False
    return "\n".join(f"> {line}" for line in inner.split("\n")) if inner else ""


def _list(node: SyntaxTreeNode, drawing: Drawing) -> str:
    number = int(node.attrs.get("start", 1))
    lines = []
    for item in node.children:
        mark = "-" if node.type == "bullet_list" else f"{number}."
        lines.append(_item(item, mark, drawing))
        number += 1
    return "\n".join(lines)


def _item(node: SyntaxTreeNode, mark: str, drawing: Drawing) -> str:
    """Code stands at the margin: inside an item its own blanks could not be told from the list's."""
    indent = " " * (len(mark) + 1)
    drawn = (
        (_block(child, drawing), child.type in ("fence", "code_block", "table")) for child in node.children
    )
    parts = [text if code else text.replace("\n", f"\n{indent}") for text, code in drawn if text]
    if node.children and node.children[0].type in ("fence", "code_block", "table"):
        return f"{mark} \n" + "\n".join(parts)
    joined = "\n".join(
        part if not index or part.startswith(FENCE) else indent + part for index, part in enumerate(parts)
    )
    return f"{mark} {joined}".rstrip()


def _inlines(nodes: Sequence[SyntaxTreeNode], drawing: Drawing) -> str:
    return "".join(_inline(node, drawing) for node in nodes)


def _inline(node: SyntaxTreeNode, drawing: Drawing) -> str:
    match node.type:
        case "strong" | "em" | "s":
            return drawing.signed(SIGNS[node.type], node.children, _inlines)
        case "code_inline":
            return _code_inline(node.content)
        case "softbreak" | "hardbreak":
            return "\n"
        case "link":
            return _link(str(node.attrs["href"]), _inlines(node.children, drawing), _cell_all(node))
        case "image":
            return _link(str(node.attrs["src"]), _inlines(node.children or [], drawing), _cell_all(node))
        case "inline":
            return _inlines(node.children, drawing)
        case "text_special" if node.info == "escape":
            return node.markup
        case _:
            return escaped(node.content)


def escaped(text: str) -> str:
    """Signs that stood for themselves go on doing so."""
    kept = PAIRED.sub(lambda found: "".join(f"\\{sign}" for sign in found.group()), text)
    return SMALL_PRINT.sub(r"\\-#", kept)


def _code_inline(content: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    mark = "`" * (longest + 1)
    edge = " " if content.startswith("`") or content.endswith("`") else ""
    return f"{mark}{edge}{content}{edge}{mark}"


def _link(target: str, label: str, bare: str) -> str:
    """A link that cannot lie: a label that names another host is followed by the real one. Discord makes
    links only of web addresses; others are written out."""
    shown = target.removeprefix("mailto:")
    if not label.strip() or bare in (target, shown):
        return shown
    if urlsplit(target).scheme.lower() not in ("http", "https"):
        return f"{label} ({shown})"
    if "](" in label:  # an image inside a link: Discord nests no links
        return f"{label} ({shown})"
    address = f"<{target}>" if re.search(r"[()]", target) else target
    linked = f"[{label}]({address})"
    return f"{linked} ({host_of(target)})" if is_lie(target, bare) else linked


def _cell(node: SyntaxTreeNode) -> str:
    """A table's cell as bare text: code takes no signs, so a link shows its address."""
    if node.type in ("link", "image"):
        target, label = str(node.attrs["href" if node.type == "link" else "src"]), _cell_all(node)
        return label if label == target else f"{label} ({target})"
    if node.type in ("softbreak", "hardbreak"):
        return " "
    return _cell_all(node) if node.children else node.content


def _cell_all(node: SyntaxTreeNode) -> str:
    return "".join(_cell(child) for child in node.children or [])
