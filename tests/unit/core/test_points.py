"""Every moment that is named in the core is one that the table knows."""

import re
from pathlib import Path

import core
from core.points import POINTS, reach

PLACED = re.compile(r"\breach\(\"(\w+)\"\)")


def test_names_in_the_code_are_names_of_the_table() -> None:
    files = Path(core.__file__).parent.rglob("*.py")
    placed = [name for file in files if file.name != "points.py" for name in PLACED.findall(file.read_text())]
    assert set(placed) <= set(POINTS)
    assert len(placed) == len(set(placed)), "a point is one place, so that a kill there means one thing"


def test_reaching_a_point_tells_its_name(reached: list[str]) -> None:
    reach("T3")
    assert reached == ["T3"]
