"""Killed at each point of the walk on Discord: nothing is lost, doubled or left."""

from collections.abc import Mapping

import pytest

from bots.torture.cell import DISCORD, DISCORD_CALLED
from bots.torture.ground import Ground
from bots.torture.stage import Outcome
from bots.torture.zygote import Zygote
from tests.faults.kills import cells_of, killed

CELLS = cells_of(DISCORD, DISCORD_CALLED)


@pytest.fixture(scope="module")
async def outcomes(
    ground: Ground, zygote: Zygote, quiet_servers: None, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Outcome]:
    return await killed(CELLS, ground, zygote, tmp_path_factory.mktemp("kills"))


@pytest.mark.timeout(300)  # the first one waits for all
@pytest.mark.parametrize("cell", [str(cell) for cell in CELLS])
def test_the_promise_holds(outcomes: Mapping[str, Outcome], cell: str) -> None:
    assert outcomes[cell].held, str(outcomes[cell])
