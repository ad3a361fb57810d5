"""The list of kill points against the code, and against the failure table that it was made from."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import get_args

from bots.torture.cell import CELLS, SCHEMA
from core.points import POINTS, Point

ROOT = Path(__file__).parents[2]
REACH = re.compile(r"\breach\((.*?)\)")
PLACES = {"I4": 3}
"""How many places in the code are this point, where it is more than one: each channel acknowledges itself."""
TABLE = {
    "I": {1: "received", 2: "inserted, not committed", 3: "committed, not acked", 4: "acked",
          5: "between gap-fill page and cursor"},
    "T": {1: "claimed", 2: "running", 3: "reserved", 4: "before model", 5: "after first token",
          6: "stream ended", 7: "before result commit", 8: "after"},
    "D": {1: "`sending` committed", 2: "written, no response", 3: "accepted, not recorded",
          4: "after part 2 of 3", 5: "mid preview", 6: "final edit done, not recorded", 7: "in 429 wait",
          8: "sent"},
    "B": {5: "migration half done"},
}  # fmt: skip
"""Those whose code exists."""


def places() -> dict[str, list[str]]:
    """The names that are reached in the code, each with its files."""
    found = defaultdict(list)
    for room in ("bots", "core", "migrations"):
        for file in (ROOT / room).rglob("*.py"):
            text = file.read_text()
            if "from core.points import" in text and "reach(" in text:
                for name in REACH.findall(text):
                    found[name.strip("\"'")].append(str(file.relative_to(ROOT)))
    return found


def test_the_list_is_the_table() -> None:
    assert set(POINTS) == {f"{group}{number}" for group, points in TABLE.items() for number in points}
    assert set(POINTS) == set(get_args(Point))


def test_each_point_has_its_places_in_the_code_and_no_other_name_is_reached() -> None:
    assert {name: len(files) for name, files in places().items()} == {
        point: PLACES.get(point, 1) for point in POINTS
    }


def test_every_point_is_killed_on_every_channel_where_it_can_be_reached() -> None:
    cells = Counter((cell.point, cell.way.channel) for cell in CELLS if cell.way is not SCHEMA)
    everywhere = [point for point in POINTS if point[0] in "ITD" and point != "I5"]
    assert set(cells) == {
        ("I5", "discord"),  # the others bring again what was not acknowledged
        *((point, channel) for point in everywhere for channel in ("telegram", "discord", "slack")),
    }
    assert [cell.point for cell in CELLS if cell.way is SCHEMA] == ["B5"]
