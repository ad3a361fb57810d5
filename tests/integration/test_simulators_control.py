"""What may be asked of every simulated platform from outside: say, change, delete, look."""

from typing import Any

import aiohttp
import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator

Platform = TelegramSimulator | DiscordSimulator | SlackSimulator


@pytest.mark.parametrize("kind", [TelegramSimulator, DiscordSimulator, SlackSimulator])
async def test_people_say_change_and_delete(kind: type[Platform]) -> None:
    async with kind() as sim, aiohttp.ClientSession() as http:

        async def post(verb: str, **body: Any) -> tuple[int, dict[str, Any]]:
            async with http.post(f"{sim.url}/_sim/{verb}", json=body) as answer:
                return answer.status, await answer.json()

        _, said = await post("say", chat="ann", user="ann", text="first")
        assert await post("edit", chat="ann", id=said["id"], text="second") == (200, {"id": str(said["id"])})
        assert [seen.text for seen in sim.seen("ann")] == ["second"]
        assert (await post("delete", chat="ann", id=said["id"]))[0] == 200
        assert sim.seen("ann") == []
        status, refused = await post("edit", chat="nobody", id="77", text="x")
        assert (status, "allowed: a message that stands" in refused["error"]) == (400, True)
        assert (await post("delete", chat="ann"))[0] == 400
