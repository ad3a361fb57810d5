"""What is meant for the bot, and what the core is told of it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from bots.discord.ids import interaction_of
from bots.discord.translate import translate, translate_command, translate_deletions, translate_edit
from core.messages import UNTOLD, Account, Identity, InboundMessage

ME = Identity(name="99", handle="parley")
ACCOUNT = Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="discord", name="99")
ANN = {"id": "7", "username": "ann", "global_name": "Ann"}


def said(content: str, **more: Any) -> dict[str, Any]:
    base = {"id": "100", "channel_id": "5", "author": ANN, "content": content, "type": 0}
    return {**base, "timestamp": "2026-01-02T03:04:05.000000+00:00", **more}


def read(content: str, *, direct: bool = False, **more: Any) -> InboundMessage | None:
    return translate(said(content, **more), ME, ACCOUNT, direct=direct, commands={"help"})


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<@99> hello", "hello"),
        ("<@!99>, hello", "hello"),
        ("hello <@99>", "hello"),
        ("<@99> <@99>: hello <@99>", "hello"),
        ("hello <@99>, you", "hello @99, you"),
        ("<@99> !help me", "!help me"),
        ("!help me", "!help me"),
        ("!HELP", "!HELP"),
        ("<@99>", ""),
        ("!nothing", None),
        ("!helpful", None),
        ("hello", None),
        ("<@998> hello", None),
        ("", None),
    ],
)
def test_in_a_server(content: str, text: str | None) -> None:
    message = read(content)
    assert (message.text if message else None) == text


@pytest.mark.parametrize(
    "more",
    [
        {"author": {**ANN, "bot": True}},
        {"author": {**ANN, "system": True}},
        {"author": {**ANN, "id": "99"}},
        {"webhook_id": "3"},
        {"type": 7},
        {"type": 20},
    ],
)
def test_who_is_not_answered(more: dict[str, Any]) -> None:
    assert read("<@99> hello", direct=True, **more) is None


def test_what_is_told_of_a_message() -> None:
    bob = {"id": "8", "username": "bob"}
    message = read("<@99> tell <@8>", member={"nick": "Annie"}, mentions=[bob])
    assert message is not None
    assert (message.text, message.sender.name, message.sender.id) == ("tell @bob", "Annie", "7")
    assert (message.message_id, message.dedupe_key, message.place.chat) == ("100", "m:100", "5")
    assert message.sent_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert message.extra == {"asker": "7"}


def test_a_reply_to_the_bot_needs_no_mention() -> None:
    assert read("why?", referenced_message={"author": {"id": "99"}}) is not None
    assert read("why?", referenced_message={"author": {"id": "8"}}) is None
    assert read("why?", referenced_message=None) is None


def test_a_command_becomes_what_could_be_typed() -> None:
    data = {"name": "ask", "options": [{"name": "question", "type": 3, "value": "why  so?"}]}
    called = {
        "id": "11",
        "application_id": "99",
        "type": 2,
        "token": "a:b",
        "channel_id": "5",
        "locale": "de",
    }
    message = translate_command({**called, "data": data, "user": ANN}, ACCOUNT)
    assert message is not None
    assert (message.text, message.dedupe_key, message.place.direct) == ("/ask why  so?", "i:11", True)
    assert (message.sender.name, message.sender.language) == ("Ann", "de")
    asked = interaction_of(message.message_id)
    assert asked is not None
    assert (asked.id, asked.application, asked.token) == ("11", "99", "a:b")
    assert "a:b" not in repr(asked)
    assert translate_command({**called, "type": 3, "data": data}, ACCOUNT) is None
    member = {"user": ANN, "nick": "Annie"}
    in_server = translate_command(
        {**called, "data": {"name": "help"}, "member": member, "guild_id": "1"}, ACCOUNT
    )
    assert in_server is not None
    assert (in_server.text, in_server.sender.name, in_server.place.direct) == ("/help", "Annie", False)


@pytest.mark.parametrize(
    ("id", "at"),
    [("175928847299117063", datetime(2016, 4, 30, 11, 18, 25, 796000, UTC)), ("11", UNTOLD)],
)
def test_a_command_was_given_when_its_id_says(id: str, at: datetime) -> None:
    """By the example of https://docs.discord.com/developers/reference#snowflakes; a server may just count."""
    called = {"id": id, "application_id": "99", "type": 2, "token": "t", "channel_id": "5", "user": ANN}
    message = translate_command({**called, "data": {"name": "help"}}, ACCOUNT)
    assert message is not None
    assert message.sent_at == at


def test_a_message_that_nobody_dates_is_as_old_as_its_acceptance() -> None:
    message = read("hello", direct=True, timestamp=None)
    assert message is not None
    assert message.sent_at == UNTOLD


def edited(content: str, *, direct: bool = False, **more: Any) -> InboundMessage | None:
    told = said(content, **more)
    return translate_edit(told, ME, ACCOUNT, direct=direct, commands={"help"})


def test_an_edit_is_a_change_of_the_message_that_it_was() -> None:
    at = "2026-01-02T03:05:05.000000+00:00"
    before, after = read("<@99> hello"), edited("<@99> hello you", edited_timestamp=at)
    assert before is not None
    assert after is not None
    assert (before.change, after.change, after.text) == (None, "edited", "hello you")
    assert (after.dedupe_key, after.place, after.sent_at) == (before.dedupe_key, before.place, before.sent_at)
    assert edited("hello you", edited_timestamp=at) is None
    assert edited("<@99> hello", author={**ANN, "bot": True}, edited_timestamp=at) is None


def test_a_preview_is_no_edit() -> None:
    assert edited("<@99> see https://a.example", edited_timestamp=None, embeds=[{}]) is None
    partial = {"id": "100", "channel_id": "5", "guild_id": "3", "embeds": [{}]}
    assert translate_edit(partial, ME, ACCOUNT, direct=False, commands=set()) is None


def test_deletions_have_the_keys_of_what_was_said() -> None:
    before = read("<@99> hello")
    assert before is not None
    (one,) = translate_deletions({"id": "100", "channel_id": "5", "guild_id": "3"}, ACCOUNT)
    assert (one.change, one.dedupe_key, one.place) == ("deleted", before.dedupe_key, before.place)
    many = translate_deletions({"ids": ["100", "101"], "channel_id": "5", "guild_id": "3"}, ACCOUNT)
    assert [each.dedupe_key for each in many] == ["m:100", "m:101"]
