"""A table as lines of fixed-width text, for channels that have no tables of their own.

Columns are as wide as their widest cell on a screen, where wide characters take two places.
"""

import unicodedata
from collections.abc import Callable

from markdown_it.tree import SyntaxTreeNode

GAP = "  "


def align(table: SyntaxTreeNode, text_of: Callable[[SyntaxTreeNode], str]) -> str:
    """The table's rows, aligned, a line each; `text_of` gives a cell's bare text."""
    cells = [row.children for part in table.children for row in part.children]
    rows = [[text_of(cell).strip() for cell in row] for row in cells]
    widths = [max(map(screen_width, column)) for column in zip(*rows, strict=True)]
    sides = ["right" if "right" in str(cell.attrs.get("style", "")) else "left" for cell in cells[0]]
    lines = [
        GAP.join(map(_padded, row, widths, sides)).rstrip()
        for row in (rows[0], ["─" * w for w in widths], *rows[1:])
    ]
    return "\n".join(lines)


def screen_width(text: str) -> int:
    return sum(_places(character) for character in text)


def _places(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(text: str, width: int, side: str) -> str:
    blank = " " * (width - screen_width(text))
    return blank + text if side == "right" else text + blank
