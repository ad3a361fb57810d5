"""Standard Markdown, as `markdown_text`, markdown blocks and streams carry it, read as Slack shows it.

docs.slack.dev/reference/block-kit/blocks/markdown-block. The parser is markdown-it's CommonMark with tables
and strikethrough; HTML stays text. Mentions work outside code, unless a character of theirs is escaped.
"""

from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bots.simulators.slack.shown import ANGLE, Names, Shown, Writer

MARKS = {"strong": "bold", "em": "italic", "s": "strike", "link": "link"}


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    # Without `text_join` an escaped `<` stays apart from the text after it, so it begins no mention.
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("text_join")


def show_markdown(source: str, names: Names) -> Shown:
    """Return what is seen of a Markdown source."""
    page = Page(Writer(names))
    for token in parser().parse(source):
        page.read(token)
    return page.writer.done()


class Page:
    """Walks over the tokens; knows where lists, quotes and marks began."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.lists: list[int | None] = []
        self.open: list[tuple[int, str]] = []
        self.gap = ""
        self.cells = 0

    def read(self, token: Token) -> None:
        match token.type:
            case "inline":
                for child in token.children or ():
                    self.read_inline(child)
            case "fence" | "code_block":
                self.code(token)
            case "bullet_list_open" | "ordered_list_open":
                first = int(token.attrGet("start") or 1) if token.type == "ordered_list_open" else None
                self.lists.append(first)
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
                self.gap = "\n" if self.lists else "\n\n"
            case "list_item_open":
                self.item()
            case "paragraph_open" | "heading_open" | "blockquote_open" | "th_open" | "td_open" | "tr_open":
                self.begin(token)
            case "paragraph_close" | "heading_close" | "blockquote_close" | "tr_close" | "table_close":
                self.end(token)
            case "hr":
                self.breathe()
                self.writer.emit("———")
                self.gap = "\n\n"

    def breathe(self) -> None:
        """Write the distance to what came before, once there is something to be distant from."""
        if self.writer.length:
            self.writer.emit(self.gap)
        self.gap = ""

    def item(self) -> None:
        self.breathe()
        number = self.lists[-1]
        self.writer.emit("    " * (len(self.lists) - 1) + ("• " if number is None else f"{number}. "))
        if number is not None:
            self.lists[-1] = number + 1

    def begin(self, token: Token) -> None:
        match token.type:
            case "tr_open":
                self.breathe()
                self.cells = 0
            case "th_open" | "td_open":
                self.writer.emit(" | " if self.cells else "")
                self.cells += 1
            case _:
                self.breathe()
                self.open.append((self.writer.length, token.type))

    def end(self, token: Token) -> None:
        match token.type:
            case "tr_close":
                self.gap = "\n"
                return
            case "heading_close":
                self.writer.mark("bold", self.open.pop()[0])
            case "blockquote_close":
                self.writer.mark("quote", self.open.pop()[0])
            case "paragraph_close":
                self.open.pop()
        self.gap = "\n" if self.lists else "\n\n"

    def code(self, token: Token) -> None:
        self.breathe()
        start = self.writer.length
        self.writer.emit(token.content.removesuffix("\n"))
        language = token.info.strip()
        self.writer.mark("pre", start, **({"language": language} if language else {}))
        self.gap = "\n" if self.lists else "\n\n"

    def read_inline(self, token: Token) -> None:
        writer = self.writer
        match token.type:
            case "text":
                self.text(token.content)
            case "text_special":
                writer.emit(token.content)
            case "softbreak" | "hardbreak":
                writer.emit("\n")
            case "code_inline":
                start = writer.length
                writer.emit(token.content)
                writer.mark("code", start)
            case "image":
                writer.emit(token.content)
            case _ if token.nesting == 1:
                self.open.append((writer.length, str(token.attrGet("href") or "")))
            case _ if token.nesting == -1:
                start, url = self.open.pop()
                kind = MARKS[token.type.removesuffix("_close")]
                writer.mark(kind, start, **({"url": url} if kind == "link" else {}))

    def text(self, content: str) -> None:
        last = 0
        for match in ANGLE.finditer(content):
            self.writer.emit_linked(content[last : match.start()])
            self.writer.emit_angle(match.group(1), str)
            last = match.end()
        self.writer.emit_linked(content[last:])
