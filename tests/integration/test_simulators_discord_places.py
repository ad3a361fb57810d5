"""The simulated Discord's channels, threads and direct messages, and what their history shows."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.discord.intents import MESSAGE_CONTENT, PRIVILEGED
from tests.integration.discord_client import Listener, Rest, discord, listening


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSimulator]:
    async with DiscordSimulator() as simulator:
        yield simulator


@pytest.fixture
async def client(sim: DiscordSimulator) -> AsyncIterator[Listener]:
    async with listening(sim) as client:
        yield client


@pytest.fixture
async def rest(sim: DiscordSimulator) -> AsyncIterator[Rest]:
    async with aiohttp.ClientSession() as http:
        yield Rest(sim, http)


async def test_history_goes_both_ways(sim: DiscordSimulator, client: Listener) -> None:
    ids = [sim.say("general", "ann", f"line {number}") for number in range(130)]
    channel = (await client.next_by_user()).channel
    newest = [str(message.id) async for message in channel.history(limit=120)]
    assert newest == ids[:-121:-1]
    after = discord.Object(ids[99])
    later = [str(message.id) async for message in channel.history(after=after, oldest_first=True)]
    assert later == ids[100:]
    close = [str(message.id) async for message in channel.history(around=discord.Object(ids[50]), limit=5)]
    assert close == ids[48:53][::-1]


async def test_history_is_next_to_the_bound_and_newest_first(sim: DiscordSimulator, rest: Rest) -> None:
    ids = [sim.say("general", "ann", f"line {number}") for number in range(10)]
    path = f"/channels/{sim.chat_id('general')}/messages"
    _, after, _ = await rest.call("GET", path, after=ids[2], limit=3)
    assert [each["id"] for each in after] == [ids[5], ids[4], ids[3]]
    _, before, _ = await rest.call("GET", path, before=ids[2], limit=3)
    assert [each["id"] for each in before] == [ids[1], ids[0]]
    status, body, _ = await rest.call("GET", path, limit=101)
    assert (status, body["code"], list(body["errors"])) == (400, 50035, ["limit"])


async def test_without_the_content_intent_texts_stay_hidden_with_exceptions() -> None:
    async with DiscordSimulator(intents=PRIVILEGED & ~MESSAGE_CONTENT) as sim:
        intents = discord.Intents.default()
        async with listening(sim, intents) as client:
            sim.say("general", "ann", "among people")
            hidden = await client.next_by_user()
            assert hidden.content == ""
            sim.say("general", "ann", "@parley_bot to you")
            assert (await client.next_by_user()).content.endswith("to you")
            sim.say("ann", "ann", "in private")
            assert (await client.next_by_user()).content == "in private"
            await hidden.channel.send("my own")
            texts = [message.content async for message in hidden.channel.history()]
            assert texts[0] == "my own"
            assert texts[-1] == ""


async def test_threads_begin_with_a_message_or_by_people(sim: DiscordSimulator, client: Listener) -> None:
    said = sim.say("general", "ann", "@parley_bot a long talk")
    message = await client.next_by_user()
    thread = await message.create_thread(name="a long talk")
    assert str(thread.id) == said
    await thread.send("here I am")
    inside = await sim.next_answer(said)
    assert (inside.chat, inside.extra["thread"]) == ("general", said)
    with pytest.raises(discord.HTTPException) as twice:
        await message.create_thread(name="again")
    assert twice.value.code == 160004
    sim.say("general", "ann", "in the thread", thread=said)
    heard = await client.next_by_user()
    assert isinstance(heard.channel, discord.Thread)
    assert heard.channel.parent_id == message.channel.id
    sim.say("general", "bob", "elsewhere", thread="plans")
    other = await client.next_by_user()
    assert isinstance(other.channel, discord.Thread)
    assert (other.channel.name, [seen.text for seen in sim.seen(said)]) == (
        "plans",
        ["here I am", "in the thread"],
    )


async def test_direct_messages_can_be_opened(sim: DiscordSimulator, client: Listener) -> None:
    sim.say("general", "ann", "hello")
    author = (await client.next_by_user()).author
    await author.send("psst")
    assert [seen.text for seen in sim.seen("ann")] == ["psst"]
    assert (await client.fetch_user(author.id)).name == "ann"


async def test_people_edit_delete_and_other_bots_speak(sim: DiscordSimulator, client: Listener) -> None:
    said = sim.say("general", "ann", "helo")
    await client.next_by_user()
    sim.edit("general", said, "hello @parley_bot")
    edited = await client.next("raw_message_edit")
    assert (str(edited.message_id), edited.message.content) == (said, f"hello <@{sim.bot_id}>")
    sim.delete("general", said)
    assert str((await client.next("raw_message_delete")).message_id) == said
    sim.say("general", "robot", "beep", by_bot=True)
    assert (await client.next_by_user()).author.bot
