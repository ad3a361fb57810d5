"""The simulated Discord's REST API, driven by the unmodified discord.py, and by raw HTTP at the edges."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bots.simulators.discord import DiscordSimulator
from bots.simulators.discord.intents import MESSAGE_CONTENT
from bots.simulators.refusal import Refusal
from tests.integration.discord_client import Listener, Rest, discord, listening

NOBODY = discord.AllowedMentions.none()


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


async def test_a_direct_message_is_heard_and_answered(sim: DiscordSimulator, client: Listener) -> None:
    said = sim.say("ann", "ann", "hello")
    message = await client.next_by_user()
    assert (str(message.id), message.content, message.guild) == (said, "hello", None)
    assert isinstance(message.channel, discord.DMChannel)
    assert abs((message.created_at.timestamp()) - sim.clock.now()) < 60
    await message.channel.send("hi there")
    answer = await sim.next_answer("ann")
    assert (answer.text, answer.author, answer.edits, answer.extra["pings"]) == ("hi there", "bot", 0, [])
    assert [seen.author for seen in sim.seen("ann")] == ["ann", "bot"]


async def test_a_mention_in_a_server_is_answered_by_a_reply(sim: DiscordSimulator, client: Listener) -> None:
    said = sim.say("general", "bob", "@parley_bot how are you?")
    message = await client.next_by_user()
    assert client.user in message.mentions
    assert isinstance(message.channel, discord.TextChannel)
    assert message.channel.permissions_for(message.guild.me).send_messages  # type: ignore[union-attr]
    await message.reply("fine", mention_author=True)
    answer = await sim.next_answer("general")
    assert (answer.extra["reply_to"], answer.extra["pings"]) == (said, ["bob"])
    again = sim.say("general", "bob", "and now?", reply_to=answer.id)
    heard = await client.next_by_user()
    assert (str(heard.id), heard.type, client.user in heard.mentions) == (
        again,
        discord.MessageType.reply,
        True,
    )
    assert heard.reference is not None
    assert isinstance(heard.reference.resolved, discord.Message)
    assert heard.reference.resolved.content == "fine"


async def test_edits_keep_their_history_and_nobody_is_pinged_twice(
    sim: DiscordSimulator, client: Listener
) -> None:
    sim.say("general", "bob", "@parley_bot hello")
    message = await client.next_by_user()
    sent = await message.channel.send("...", allowed_mentions=NOBODY)
    for text in ("one", "one two", f"one two {message.author.mention}"):
        await sent.edit(content=text)
    answer = await sim.next_answer("general")
    assert [version.text for version in answer.versions][:3] == ["...", "one", "one two"]
    assert (answer.edits, answer.extra["pings"]) == (3, [])
    assert (await client.next("message_edit")) is not None
    await sent.delete()
    assert [seen.author for seen in sim.seen("general")] == ["bob"]
    assert (await client.next("message_delete")).id == sent.id


async def test_who_would_be_pinged_is_recorded(sim: DiscordSimulator, client: Listener) -> None:
    sim.say("general", "ann", "first")
    message = await client.next_by_user()
    text = f"@everyone {message.author.mention} <@&77>"
    await message.channel.send(text)
    await message.channel.send(text, allowed_mentions=NOBODY)
    only = discord.AllowedMentions(everyone=False, users=[message.author], roles=False)
    await message.channel.send(text, allowed_mentions=only)
    pings = [seen.extra["pings"] for seen in sim.seen("general") if seen.by_bot]
    assert pings == [["ann", "everyone", "role 77"], [], ["ann"]]


async def test_the_same_nonce_returns_the_first_message_for_some_minutes(
    sim: DiscordSimulator, client: Listener
) -> None:
    sim.say("ann", "ann", "hello")
    channel = (await client.next_by_user()).channel
    first = await channel.send("answer", nonce="turn-1-part-1")
    created = await client.next("message")
    while created.author != client.user:
        created = await client.next("message")
    assert created.nonce == "turn-1-part-1"
    second = await channel.send("answer again", nonce="turn-1-part-1")
    assert (second.id, second.content) == (first.id, "answer")
    assert len([seen for seen in sim.seen("ann") if seen.by_bot]) == 1
    sim.clock.turn(181)
    third = await channel.send("answer", nonce="turn-1-part-1")
    assert third.id > first.id


async def test_a_nonce_that_is_not_enforced_may_repeat(sim: DiscordSimulator, rest: Rest) -> None:
    sim.say("ann", "ann", "hello")
    path = f"/channels/{sim.chat_id('ann')}/messages"
    ids = {(await rest.call("POST", path, {"content": "x", "nonce": 5}))[1]["id"] for _ in range(2)}
    assert len(ids) == 2
    status, body, _ = await rest.call("POST", path, {"content": "x", "nonce": "n" * 26})
    assert (status, body["code"], list(body["errors"])) == (400, 50035, ["nonce"])


async def test_text_is_bounded_and_not_empty(sim: DiscordSimulator, client: Listener) -> None:
    sim.say("ann", "ann", "hello")
    channel = (await client.next_by_user()).channel
    await channel.send("x" * 2000)
    with pytest.raises(discord.HTTPException, match=r"In content: Must be 2000 or fewer in length\.") as long:
        await channel.send("x" * 2001)
    assert (long.value.status, long.value.code) == (400, 50035)
    with pytest.raises(discord.HTTPException) as empty:
        await channel.send(" \n ")
    assert (empty.value.status, empty.value.code) == (400, 50006)
    await channel.send(file=discord.File(__file__, "a.py"), suppress_embeds=True)
    assert sim.seen("ann")[-1].extra["flags"] == discord.MessageFlags(suppress_embeds=True).value
    assert [seen.text for seen in sim.seen("ann") if seen.by_bot] == ["x" * 2000, ""]


async def test_what_is_unknown_or_closed_is_told_by_its_code(sim: DiscordSimulator, client: Listener) -> None:
    sim.say("ann", "ann", "hello")
    direct = (await client.next_by_user()).channel
    sim.say("general", "ann", "hello")
    public = (await client.next_by_user()).channel
    codes: dict[str, int] = {}

    async def refused(what: str, asked: Any) -> None:
        with pytest.raises(discord.HTTPException) as error:
            await asked
        codes[what] = error.value.code

    await refused("channel", client.fetch_channel(1234))
    await refused("message", public.fetch_message(1234))
    await refused(
        "reply", public.send("x", reference=discord.MessageReference(message_id=9, channel_id=public.id))
    )
    sim.shut("general")
    sim.shut("ann")
    await refused("shut", public.send("x"))
    await refused("blocked", direct.send("x"))
    foreign = await anext(direct.history())
    await refused("edit", client.http.edit_message(foreign.channel.id, foreign.id, params=_text("y")))
    assert codes == {
        "channel": 10003, "message": 10008, "reply": 50035, "shut": 50001, "blocked": 50007, "edit": 50005
    }  # fmt: skip
    sim.say("general", "ann", "not for you")
    sim.shut("general", shut=False)
    sim.say("general", "ann", "for you")
    assert (await client.next_by_user()).content == "for you"


def _text(content: str) -> Any:
    return discord.http.handle_message_parameters(content=content)


async def test_a_reply_to_something_gone_is_a_plain_message_when_that_is_allowed(
    sim: DiscordSimulator, client: Listener
) -> None:
    said = sim.say("general", "ann", "hello")
    message = await client.next_by_user()
    sim.delete("general", said)
    reference = message.to_reference(fail_if_not_exists=False)
    sent = await message.channel.send("still", reference=reference)
    assert (sent.type, sent.reference) == (discord.MessageType.default, None)


async def test_reactions_and_typing(sim: DiscordSimulator, client: Listener) -> None:
    sim.say("general", "ann", "hello")
    message = await client.next_by_user()
    await message.add_reaction("👀")
    assert [each["emoji"] for each in sim.seen("general")[0].extra["reactions"]] == ["👀"]
    again = await message.channel.fetch_message(message.id)
    assert [(reaction.emoji, reaction.me) for reaction in again.reactions] == [("👀", True)]
    await message.remove_reaction("👀", client.user)  # type: ignore[arg-type]
    assert sim.seen("general")[0].extra["reactions"] == []
    with pytest.raises(discord.HTTPException, match="Unknown Emoji"):
        await message.add_reaction("eyes")
    async with message.channel.typing():
        pass
    assert sim.calls[-1].method == "trigger_typing_indicator"
    sim.type("general", "ann")
    while (await client.next("raw_typing")).user_id != message.author.id:
        pass


async def test_the_application_shows_which_intents_are_on() -> None:
    async with DiscordSimulator(intents=MESSAGE_CONTENT) as sim:
        intents = discord.Intents(guilds=True, messages=True, message_content=True)
        async with listening(sim, intents) as client:
            application = await client.application_info()
            assert application.flags.gateway_message_content_limited
            assert not application.flags.gateway_guild_members_limited
            assert str(application.id) == sim.bot_id


async def test_unknown_routes_are_noted(sim: DiscordSimulator, rest: Rest) -> None:
    assert (await rest.call("GET", "/nowhere"))[:2] == (404, {"message": "404: Not Found", "code": 0})
    assert (await rest.call("DELETE", "/users/@me"))[0] == 405
    assert sim.unknown_routes == ["GET /api/v10/nowhere", "DELETE /api/v10/users/@me"]


async def test_a_wrong_token_is_turned_away() -> None:
    async with DiscordSimulator(token="right") as sim:
        async with aiohttp.ClientSession() as http:
            rest = Rest(sim, http)
            assert (await rest.call("GET", "/users/@me", token="wrong"))[:2] == (
                401,
                {"message": "401: Unauthorized", "code": 0},
            )
            assert (await rest.call("GET", "/users/@me", token="right"))[0] == 200
        with pytest.raises(discord.LoginFailure):
            async with listening(sim):
                pass


async def test_the_controls_are_the_same_as_for_every_channel(sim: DiscordSimulator, rest: Rest) -> None:
    async with rest.http.post(
        f"{sim.url}/_sim/say", json={"chat": "ann", "user": "ann", "text": "hello"}
    ) as answer:
        said = (await answer.json())["id"]
    async with rest.http.get(f"{sim.url}/_sim/seen", params={"chat": "ann"}) as answer:
        (seen,) = (await answer.json())["messages"]
    assert (seen["id"], seen["text"], seen["author"]) == (said, "hello", "ann")
    async with rest.http.post(f"{sim.url}/_sim/fault", json={"kind": "hiccup"}) as answer:
        assert answer.status == 400
        assert "allowed: accept_then_drop, banned" in (await answer.json())["error"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"chat": "ann", "user": "bob"}, "only their user"),
        ({"chat": "ann", "user": "ann", "thread": "x"}, "in a server's channel"),
        ({"chat": "general", "user": "ann", "reply_to": "12"}, "no message '12'"),
        ({"chat": "general", "user": "ann", "bot": "12"}, "bot: '12' given"),
    ],
)
async def test_impossible_sayings_are_refused(
    sim: DiscordSimulator, fields: dict[str, str], reason: str
) -> None:
    sim.say("ann", "ann", "here")
    with pytest.raises(Refusal, match=reason):
        sim.say(text="hello", **fields)  # type: ignore[arg-type]
