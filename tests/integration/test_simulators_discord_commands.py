"""The simulated Discord's commands and answers to them, through the unmodified discord.py."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.refusal import Refusal
from tests.integration.discord_client import Listener, Rest, discord, listening

ASK = {
    "name": "ask",
    "description": "Ask something",
    "options": [{"name": "what", "description": "The question", "type": 3, "required": True}],
}
HELP = {"name": "help", "description": "Help"}


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSimulator]:
    async with DiscordSimulator() as simulator:
        yield simulator


@pytest.fixture
async def rest(sim: DiscordSimulator) -> AsyncIterator[Rest]:
    async with aiohttp.ClientSession() as http:
        yield Rest(sim, http)


@pytest.fixture
async def client(sim: DiscordSimulator, rest: Rest) -> AsyncIterator[Listener]:
    status, _, _ = await rest.call("PUT", f"/applications/{sim.bot_id}/commands", [ASK, HELP])
    assert status == 200
    async with listening(sim) as client:
        yield client


@pytest.mark.parametrize("chat", ["general", "ann"])
async def test_a_deferred_answer_is_completed_by_edit(
    sim: DiscordSimulator, client: Listener, chat: str
) -> None:
    asked = sim.slash(chat, "ann", "ask", {"what": "why?"})
    interaction = await client.next("interaction")
    assert interaction.data["options"] == [{"name": "what", "type": 3, "value": "why?"}]
    assert (interaction.user.name, interaction.guild is None) == ("ann", chat == "ann")
    callback = await interaction.response.defer(thinking=True)
    assert callback.is_thinking()
    (shown,) = sim.seen(chat)
    assert (shown.text, shown.extra["loading"]) == ("", True)
    await interaction.edit_original_response(content="because")
    (shown,) = sim.seen(chat)
    assert (shown.text, shown.edits, shown.extra["loading"]) == ("because", 1, False)
    assert (await interaction.original_response()).content == "because"
    more = await interaction.followup.send("and more", wait=True)
    assert [seen.text for seen in sim.seen(chat)] == ["because", "and more"]
    await more.edit(content="and even more")
    await more.delete()
    assert [seen.text for seen in sim.seen(chat)] == ["because"]
    assert asked.answered


async def test_an_immediate_answer_may_be_for_one_person_only(
    sim: DiscordSimulator, client: Listener, rest: Rest
) -> None:
    sim.slash("general", "ann", "help")
    interaction = await client.next("interaction")
    await interaction.response.send_message("only you see this", ephemeral=True)
    (shown,) = sim.seen("general")
    assert (shown.extra["ephemeral"], shown.extra["asked_by"]) == (True, "ann")
    channel = interaction.channel
    assert [message async for message in channel.history()] == []
    again = f"/interactions/{interaction.id}/{interaction.token}/callback"
    status, body, _ = await rest.call("POST", again, {"type": 5})
    assert (status, body["code"]) == (400, 40060)


async def test_the_first_followup_takes_the_place_of_thinking(
    sim: DiscordSimulator, client: Listener
) -> None:
    sim.slash("general", "ann", "help")
    interaction = await client.next("interaction")
    await interaction.response.defer(thinking=True)
    await interaction.followup.send("here", wait=True)
    assert [(seen.text, seen.edits) for seen in sim.seen("general")] == [("here", 1)]


async def test_an_answer_after_three_seconds_is_too_late(sim: DiscordSimulator, client: Listener) -> None:
    sim.slash("general", "ann", "help")
    interaction = await client.next("interaction")
    sim.clock.turn(3.1)
    assert [each.user.name for each in sim.desk.unanswered()] == ["ann"]
    with pytest.raises(discord.NotFound, match="Unknown interaction") as late:
        await interaction.response.defer()
    assert late.value.code == 10062


async def test_a_token_lives_fifteen_minutes(sim: DiscordSimulator, client: Listener) -> None:
    sim.slash("general", "ann", "help")
    interaction = await client.next("interaction")
    with pytest.raises(discord.NotFound) as early:
        await interaction.followup.send("before any answer")
    assert early.value.code == 10015
    await interaction.response.defer(thinking=True)
    sim.clock.turn(890)
    await interaction.edit_original_response(content="in time")
    sim.clock.turn(20)
    with pytest.raises(discord.HTTPException) as late:
        await interaction.edit_original_response(content="too late")
    assert (late.value.status, late.value.code) == (401, 50027)
    assert [seen.text for seen in sim.seen("general")] == ["in time"]


async def test_a_typed_command_is_called_as_the_users_client_does(
    sim: DiscordSimulator, client: Listener
) -> None:
    sim.say("general", "ann", "/ask why not?")
    interaction = await client.next("interaction")
    assert interaction.data["options"][0]["value"] == "why not?"
    sim.say("general", "ann", "/unknown thing")
    assert (await client.next_by_user()).content == "/unknown thing"


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("nope", {}, "allowed: ask, help"),
        ("ask", {}, "'what' is missing"),
        ("ask", {"what": 5}, "does not fit type 3"),
        ("help", {"x": 1}, "allowed: none"),
    ],
)
async def test_users_cannot_call_what_is_not_there(
    sim: DiscordSimulator, client: Listener, name: str, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refusal, match=reason):
        sim.slash("general", "ann", name, options)


async def test_the_library_registers_its_tree(sim: DiscordSimulator) -> None:
    async with listening(sim) as client:
        tree = discord.app_commands.CommandTree(client)

        @tree.command(name="ping", description="Pong")
        async def ping(interaction: discord.Interaction) -> None:
            await interaction.response.send_message("pong")

        (synced,) = await tree.sync()
        assert [command.id for command in await tree.fetch_commands()] == [synced.id]
        sim.slash("ann", "ann", "ping")
        assert (await sim.next_answer("ann")).text == "pong"


async def test_commands_are_listed_by_server_and_for_their_owner_only(
    sim: DiscordSimulator, rest: Rest
) -> None:
    guild = sim.world.open_guild("simulated").id
    path = f"/applications/{sim.bot_id}/guilds/{guild}/commands"
    _, made, _ = await rest.call("POST", path, HELP)
    assert made["guild_id"] == str(guild)
    assert (await rest.call("GET", f"/applications/{sim.bot_id}/commands"))[1] == []
    assert (await rest.call("DELETE", f"{path}/{made['id']}"))[0] == 204
    assert (await rest.call("GET", path))[1] == []
    assert (await rest.call("GET", "/applications/5/commands"))[1]["code"] == 20012
    status, body, _ = await rest.call("PUT", f"/applications/{sim.bot_id}/commands", [HELP, {"name": "A"}])
    assert (status, body["errors"]["1"]["name"]["_errors"][0]["code"]) == (
        400,
        "APPLICATION_COMMAND_INVALID_NAME",
    )


async def test_a_fault_may_be_tied_to_the_chat_of_a_command(sim: DiscordSimulator, client: Listener) -> None:
    sim.fault("forbidden", method="edit_webhook_message", chat="general")
    for chat in ("ann", "general"):
        sim.slash(chat, "ann", "help")
        interaction = await client.next("interaction")
        await interaction.response.defer(thinking=True)
        if chat == "ann":
            await interaction.edit_original_response(content="fine")
    with pytest.raises(discord.Forbidden):
        await interaction.edit_original_response(content="not fine")
    assert [seen.text for seen in sim.seen()] == ["fine", ""]
