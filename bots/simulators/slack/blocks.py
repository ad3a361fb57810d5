"""Block Kit as far as messages of text go: what is allowed, and what is seen of it.

docs.slack.dev/reference/block-kit/blocks. Blocks without text for readers (actions, dividers, images) are
allowed and show little or nothing; a block type that is not documented is refused.
"""

from collections.abc import Sequence
from typing import Any

from bots.simulators.slack.markdown import show_markdown
from bots.simulators.slack.mrkdwn import show_mrkdwn, show_plain
from bots.simulators.slack.params import SlackError, invalid
from bots.simulators.slack.shown import Names, Shown, Writer, joined

Block = dict[str, Any]

MOST_BLOCKS = 50
LONGEST_SECTION = 3000
LONGEST_FIELD = 2000
LONGEST_HEADER = 150
# For all markdown blocks of a message together (docs.slack.dev/reference/block-kit/blocks/markdown-block).
LONGEST_MARKDOWN = 12_000
SILENT = frozenset(
    {"actions", "divider", "image", "video", "file", "input", "context_actions", "plan", "task_card", "alert",
     "card", "carousel"}
)  # fmt: skip


def check_blocks(blocks: Sequence[Block]) -> None:
    """Raise SlackError where the documented rules are broken."""
    if len(blocks) > MOST_BLOCKS:
        raise invalid(
            f"no more than {MOST_BLOCKS} items allowed [json-pointer:/blocks]", code="invalid_blocks"
        )
    for number, block in enumerate(blocks):
        if (problem := problem_of(block)) is not None:
            raise invalid(f"{problem} [json-pointer:/blocks/{number}]", code="invalid_blocks")
    total = sum(len(str(block["text"])) for block in blocks if block["type"] == "markdown")
    if total > LONGEST_MARKDOWN:
        raise SlackError("msg_blocks_too_long")


def problem_of(block: Block) -> str | None:
    kind = block.get("type")
    match kind:
        case "markdown":
            return (
                None
                if isinstance(block.get("text"), str) and block["text"]
                else "missing required field: text"
            )
        case "section":
            return problem_of_section(block)
        case "header":
            return problem_of_text(block.get("text"), LONGEST_HEADER, ("plain_text",))
        case "context" | "rich_text":
            return None if isinstance(block.get("elements"), list) else "missing required field: elements"
        case "table":
            return None if isinstance(block.get("rows"), list) else "missing required field: rows"
        case _:
            return None if kind in SILENT else f"unsupported type: {kind}"


def problem_of_section(block: Block) -> str | None:
    texts = [] if block.get("text") is None else [(block["text"], LONGEST_SECTION)]
    texts += [(each, LONGEST_FIELD) for each in block.get("fields") or ()]
    if not texts:
        return "missing required field: text"
    problems = (problem_of_text(text, longest, ("mrkdwn", "plain_text")) for text, longest in texts)
    return next((problem for problem in problems if problem is not None), None)


def problem_of_text(text: Any, longest: int, kinds: Sequence[str]) -> str | None:
    if not isinstance(text, dict) or text.get("type") not in kinds or not isinstance(text.get("text"), str):
        return "failed to match all allowed schemas"
    if not 1 <= len(text["text"]) <= longest:
        return f"must be between 1 and {longest} characters"
    return None


def show_blocks(blocks: Sequence[Block], names: Names) -> Shown:
    """Return what is seen of the blocks, one under the other."""
    return joined(show_block(block, names) for block in blocks)


def show_block(block: Block, names: Names) -> Shown:
    match block["type"]:
        case "markdown":
            return show_markdown(block["text"], names)
        case "section":
            texts = [block.get("text"), *(block.get("fields") or ())]
            return joined(show_text(text, names) for text in texts if text)
        case "header":
            return show_text(block["text"], names)
        case "context":
            return joined((show_text(each, names) for each in block["elements"]), " ")
        case "rich_text":
            return show_rich_text(block, names)
        case "table":
            rows = ([show_cell(cell, names) for cell in row] for row in block["rows"])
            return joined(joined(row, " | ") for row in rows)
        case _:
            return Shown("")


def show_text(text: Block, names: Names) -> Shown:
    source = str(text.get("text", ""))
    return show_mrkdwn(source, names) if text.get("type") == "mrkdwn" else show_plain(source)


def show_cell(cell: Block, names: Names) -> Shown:
    return show_rich_text(cell, names) if cell.get("type") == "rich_text" else show_text(cell, names)


def show_rich_text(block: Block, names: Names) -> Shown:
    """docs.slack.dev/reference/block-kit/blocks/rich-text-block"""
    pieces = []
    for part in block["elements"]:
        if part.get("type") == "rich_text_list":
            pieces += [show_run(item, names, "• ") for item in part.get("elements", ())]
        else:
            pieces.append(show_run(part, names))
    return joined(pieces)


def show_run(part: Block, names: Names, before: str = "") -> Shown:
    writer = Writer(names)
    writer.emit(before)
    for element in part.get("elements", ()):
        start = writer.length
        match element.get("type"):
            case "user":
                writer.emit_angle(f"@{element['user_id']}", str)
            case "usergroup":
                writer.emit_angle(f"!subteam^{element['usergroup_id']}", str)
            case "broadcast":
                writer.emit_angle(f"!{element['range']}", str)
            case "channel":
                writer.emit_angle(f"#{element['channel_id']}", str)
            case "link":
                writer.emit(element.get("text") or element["url"])
                writer.mark("link", start, url=element["url"])
            case "emoji":
                writer.emit(f":{element['name']}:")
            case _:
                writer.emit(str(element.get("text", "")))
        for style in element.get("style") or ():
            writer.mark(style, start)
    if part.get("type") == "rich_text_preformatted":
        writer.mark("pre", 0)
    return writer.done()
