"""A process that kills itself where it is told to, and the one that forks it."""

import os
import signal
from pathlib import Path

import pytest

from bots.torture.cell import CELLS, SCHEMA
from bots.torture.cells import cells
from bots.torture.life import live
from bots.torture.victim import KILL_AT, End, read
from bots.torture.zygote import Zygote

AROUND = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("T3", End(point="T3")),
        ("T3:2", End(point="T3", count=2)),
        ("D2", End(point="D2", after_ms=5)),
        ("D2:3:12", End(point="D2", count=3, after_ms=12)),
    ],
)
def test_where_to_die_can_be_said_in_short(text: str, end: End) -> None:
    assert read(text) == end == read(str(end))


@pytest.mark.parametrize("text", ["X1", "T3:", "T3:x", "T3:1:2:3"])
def test_what_cannot_be_meant_is_an_error_that_says_what_can(text: str) -> None:
    with pytest.raises(ValueError, match=r"allowed: POINT\[:COUNT\[:MILLISECONDS\]\]"):
        read(text)


async def test_a_forked_gateway_ends_with_its_own_exit_code(zygote: Zygote, tmp_path: Path) -> None:
    codes: list[int | None] = []
    for arguments, more in ((["version"], {}), (["nonsense"], {}), (["version"], {KILL_AT: "X"})):
        life = await live(
            zygote, *arguments, environment=AROUND | more, folder=tmp_path / str(len(codes)), log="log"
        )
        codes.append(await life.ended(30))
    assert codes == [0, 2, 1]
    assert "PARLEY_KILL_AT: 'X' given" in (tmp_path / "2" / "log").read_text()


async def test_a_forked_gateway_can_be_killed(zygote: Zygote, tmp_path: Path) -> None:
    life = await live(zygote, "chat", environment=AROUND, folder=tmp_path, log="log")
    assert await life.kill() == -signal.SIGKILL


async def test_the_matrix_tells_a_kill_in_a_line(tmp_path: Path) -> None:
    chosen = [cell for cell in CELLS if cell.way is SCHEMA]
    matrix = await cells(1, 3, print, home=tmp_path, chosen=chosen)
    assert matrix.held
    assert matrix.as_json()["cells"] == {
        "B5 schema": {"kills": 1, "reached": 1, "answered": 0, "findings": 0}
    }
    assert matrix.as_table().endswith("The promise held.")
