"""All kill cells of some ways, played side by side: most of a kill is waiting."""

from collections.abc import Collection, Mapping
from pathlib import Path

from bots.torture.cell import CELLS, Cell, Way
from bots.torture.cells import side_by_side
from bots.torture.ground import Ground
from bots.torture.stage import Outcome
from bots.torture.zygote import Zygote

SEED = 4


def cells_of(*ways: Way) -> list[Cell]:
    return [cell for cell in CELLS if cell.way in ways]


async def killed(
    cells: Collection[Cell], ground: Ground, zygote: Zygote, folder: Path
) -> Mapping[str, Outcome]:
    """The outcome of one kill of each, by the cell's name."""
    outcomes = await side_by_side([(cell, SEED) for cell in cells], ground, zygote, folder, print)
    return {str(outcome.cell): outcome for outcome in outcomes}
