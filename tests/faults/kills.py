"""Kill cells, played side by side: most of a kill is waiting.

Here every point is killed, the channels taking turns. Every point on all channels is `parley torture --full`,
which `.ci/run` plays once through, or `PARLEY_TEST_CELLS=all`.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from bots.torture.cell import (
    CELLS,
    DISCORD,
    DISCORD_CALLED,
    SCHEMA,
    SLACK,
    TELEGRAM,
    TELEGRAM_WHOLE,
    Cell,
    Way,
)
from bots.torture.cells import side_by_side
from bots.torture.ground import Ground
from bots.torture.stage import Outcome
from bots.torture.zygote import Zygote
from core.points import POINTS

SEED = 4


TURNS = (TELEGRAM, DISCORD, SLACK)
ALWAYS = {
    Cell(point="D2", way=TELEGRAM_WHOLE),
    Cell(point="D3", way=TELEGRAM_WHOLE),
    Cell(point="I5", way=DISCORD),
    Cell(point="I1", way=DISCORD_CALLED),
    Cell(point="I3", way=DISCORD_CALLED),
}


def cells_of(*ways: Way) -> list[Cell]:
    here = [cell for cell in CELLS if cell.way in ways]
    return (
        here
        if os.environ.get("PARLEY_TEST_CELLS") == "all"
        else [cell for cell in here if _has_its_turn(cell)]
    )


def _has_its_turn(cell: Cell) -> bool:
    turn = TURNS[list(POINTS).index(cell.point) % len(TURNS)]
    return cell.way in (turn, SCHEMA) or cell in ALWAYS


async def killed(
    cells: Collection[Cell], ground: Ground, zygote: Zygote, folder: Path
) -> Mapping[str, Outcome]:
    """The outcome of one kill of each, by the cell's name."""
    outcomes = await side_by_side([(cell, SEED) for cell in cells], ground, zygote, folder, print)
    return {str(outcome.cell): outcome for outcome in outcomes}
