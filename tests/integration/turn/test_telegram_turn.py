"""A whole turn over Telegram: real client, real stores, simulated platform and model."""

from pathlib import Path

from tests.world import open_world


async def test_a_message_is_answered_once(tmp_path: Path, database_url: str, redis_url: str) -> None:
    async with open_world(tmp_path, database_url, redis_url) as world:
        world.telegram.say("ann", "ann", "hello there")
        answer = await world.telegram.next_answer("ann", where=lambda seen: "hello there" in seen.text)
        await world.settled()
        assert world.answers("ann") == [answer.text]
