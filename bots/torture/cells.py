"""The kill matrix from end to end: every cell killed so many times, some side by side, and a table of it.

A cell holds when the point was reached each time and the checker found nothing.
"""

import asyncio
import contextlib
import itertools
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bots.torture.cell import CELLS, Cell
from bots.torture.ground import Ground, open_ground
from bots.torture.report import by_channel
from bots.torture.stage import Outcome, play
from bots.torture.victim import End
from bots.torture.zygote import Zygote, open_zygote
from core.embedded import embedded_pair

LANES = 6
"""Kills at once: most of each is waiting."""
TOLD_EVERY = 50
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """What came of all kills."""

    seed: int
    kills: int
    outcomes: tuple[Outcome, ...]

    @property
    def held(self) -> bool:
        return all(outcome.held for outcome in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "kills": len(self.outcomes),
            "cells": {str(cell): self._figures(cell) for cell in self._cells()},
            "findings": [str(outcome) for outcome in self.outcomes if not outcome.held],
            "held": self.held,
        }

    def as_table(self) -> str:
        """A line for each cell, then what was found, then the sentence that counts."""
        figures = {str(cell): self._figures(cell) for cell in self._cells()}
        found = [str(outcome) for outcome in self.outcomes if not outcome.held]
        sentence = "The promise held." if self.held else "The promise did not hold."
        return "\n".join([*by_channel(figures), "", *found, sentence])

    def _cells(self) -> list[Cell]:
        return list(dict.fromkeys(outcome.cell for outcome in self.outcomes))

    def _figures(self, cell: Cell) -> dict[str, int]:
        mine = [outcome for outcome in self.outcomes if outcome.cell == cell]
        return {
            "kills": len(mine),
            "reached": sum(outcome.reached for outcome in mine),
            "answered": sum(outcome.answered for outcome in mine),
            "findings": sum(len(outcome.findings) for outcome in mine),
        }


async def cells(
    kills: int, seed: int, say: Say, *, home: Path | None = None, chosen: Sequence[Cell] = CELLS
) -> Matrix:
    """Kill each cell so often, on servers of our own. `home` keeps logs and data."""
    with contextlib.ExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-cells-")))
        async with embedded_pair(folder / "pair", say=say) as pair:
            assert pair.database_url is not None
            assert pair.redis_url is not None
            async with open_ground(pair.database_url, pair.redis_url) as ground, open_zygote() as zygote:
                planned = [(cell, seed * 1000 + number) for number in range(kills) for cell in chosen]
                outcomes = await side_by_side(planned, ground, zygote, folder / "kills", say)
    return Matrix(seed=seed, kills=kills, outcomes=tuple(outcomes))


async def side_by_side(
    planned: Sequence[tuple[Cell, int]], ground: Ground, zygote: Zygote, folder: Path, say: Say
) -> list[Outcome]:
    """The outcomes of kills with their seeds, in that order; `LANES` of them at a time."""
    lanes, done = asyncio.Semaphore(LANES), itertools.count(1)

    async def one(cell: Cell, seed: int) -> Outcome:
        async with lanes:
            name = f"{cell} {seed}".replace(",", "").replace(" ", "-")
            outcome = await _surely(cell, seed, ground, zygote, folder / name)
            if not outcome.held:
                say(f"{outcome} (seed {seed})")
            if (count := next(done)) % TOLD_EVERY == 0:
                say(f"{count} of {len(planned)} kills")
            return outcome

    return await asyncio.gather(*(one(cell, seed) for cell, seed in planned))


async def _surely(cell: Cell, seed: int, ground: Ground, zygote: Zygote, folder: Path) -> Outcome:
    """A cell that cannot even be played has not held; the others go on."""
    try:
        return await play(cell, seed, ground, zygote, folder)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return Outcome(cell=cell, end=End(point=cell.point), reached=False, findings=(wrong,))
