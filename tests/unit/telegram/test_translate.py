"""Which messages are meant for the bot, and what is left of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from core.messages import Place, Sender
from tests.unit.telegram.updates import ACCOUNT, ALICE, BOT, GROUP, PRIVATE, entity, message, said, translated

MENTION = "@parley_bot"


def mention(text: str, name: str = MENTION) -> dict[str, Any]:
    return entity(text, name, "mention")


def command(text: str) -> dict[str, Any]:
    return entity(text, text.split()[0], "bot_command")


def test_private_message_in_full() -> None:
    heard = translated(message("hello"))
    assert heard is not None
    assert heard.place == Place(account_id=ACCOUNT.id, channel="telegram", chat="42", thread="", direct=True)
    assert heard.sender == Sender(id="42", name="Alice Ash", language="de")
    assert (heard.text, heard.message_id, heard.dedupe_key) == (
        "hello",
        "7",
        f"m:42:7:{int(heard.sent_at.timestamp())}",
    )
    assert heard.sent_at == datetime.fromtimestamp(1_790_000_000, UTC)
    assert heard.sent_at.utcoffset() is not None


def test_topic_is_a_thread_but_a_thread_of_answers_is_not() -> None:
    text = f"{MENTION} hi"
    fields = {"entities": [mention(text)], "message_thread_id": 99}
    topic = translated(message(text, GROUP, is_topic_message=True, **fields))
    answers = translated(message(text, GROUP, **fields))
    assert topic is not None
    assert answers is not None
    assert (topic.place.thread, answers.place.thread) == ("99", "")
    assert not topic.place.direct


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        (f"{MENTION} hello", "hello"),
        (f"{MENTION}: hello", "hello"),
        (f"{MENTION}, /new", "/new"),
        (f"{MENTION} !help", "!help"),
        (f"hello {MENTION}", "hello"),
        (f"  {MENTION}   hello  ", "hello"),
        (f"what can {MENTION} do?", f"what can {MENTION} do?"),
        (f"😀👩‍👩‍👧 hello {MENTION}", "😀👩‍👩‍👧 hello"),
        ("@Parley_Bot hello", "hello"),
        (MENTION, None),
    ],
)
def test_mention_in_a_group(text: str, heard: str | None) -> None:
    name = next(word.strip(":,") for word in text.split() if word.startswith("@"))
    assert said(text, mention(text, name)) == heard


def test_two_mentions_and_one_of_somebody_else() -> None:
    text = f"{MENTION} {MENTION} ask @bob please"
    first, second = mention(text), {**mention(text), "offset": len(MENTION) + 1}
    assert said(text, first, second, mention(text, "@bob")) == "ask @bob please"


def test_mention_by_name_of_a_bot_without_a_username() -> None:
    text = "😀 Parley hello"
    named = entity(text, "Parley", "text_mention", user=BOT)
    assert said(text, named) == "😀 Parley hello"
    assert said("Parley hello", entity("Parley hello", "Parley", "text_mention", user=BOT)) == "hello"
    assert said(text, {**named, "user": ALICE}) is None


def test_name_in_the_text_that_the_platform_does_not_call_a_mention() -> None:
    assert said(f"mail me at me{MENTION}.example") is None


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("/ask@parley_bot what is up", "/ask what is up"),
        ("/ask@PARLEY_BOT what", "/ask what"),
        ("/new", "/new"),
        ("!help", "!help"),
        ("!wow", None),
        ("/new/york", None),
        ("/frob", None),
        ("/frob@parley_bot", "/frob"),
        ("/new@other_bot", None),
        ("/new@other_bot now", None),
    ],
)
def test_command_in_a_group(text: str, heard: str | None) -> None:
    assert said(text, command(text)) == heard


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("@parley_bot hello", "hello"),
        ("hello @Parley_Bot", "hello"),
        ("ask @parley_bot again please", "ask @parley_bot again please"),
        ("👋 @parley_bot", "👋"),
        ("write to a@parley_bot.example", None),
        ("@parley_bots hello", None),
        ("@parley_bot.example", None),
    ],
)
def test_mention_that_no_entity_marks(text: str, heard: str | None) -> None:
    assert said(text) == heard


def test_media_without_words_is_told_about() -> None:
    photo: dict[str, Any] = {"photo": [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]}
    heard = translated(message(None, **photo))
    assert heard is not None
    assert heard.text == ""
    assert translated(message(None, GROUP, **photo)) is None
    assert translated(message(None, new_chat_title="quiet")) is None


def test_half_a_surrogate_pair_is_heard() -> None:
    heard = translated(message("lone \ud800"))
    assert heard is not None
    assert heard.text.startswith("lone")


def test_the_same_number_at_another_time_is_another_message() -> None:
    first, second = translated(message("one")), translated(message("one") | {"date": 1_790_000_999})
    assert first is not None
    assert second is not None
    assert first.dedupe_key != second.dedupe_key


def test_mention_before_a_command_for_us() -> None:
    text = f"{MENTION} /ask@parley_bot what"
    assert said(text, mention(text)) == "/ask what"


def test_reply_to_the_bot_is_meant_for_it() -> None:
    ours = message("earlier", GROUP, **{"from": BOT})
    assert said("and then?", reply_to_message=ours) == "and then?"
    assert said("and then?", reply_to_message=message("earlier", GROUP)) is None


def test_message_in_a_topic_that_the_bot_opened_is_not_a_reply_to_it() -> None:
    opened = message(None, GROUP, **{"from": BOT}, forum_topic_created={"name": "News", "icon_color": 1})
    assert said("hello all", reply_to_message=opened, message_thread_id=7, is_topic_message=True) is None


def test_caption_counts_as_text() -> None:
    photo = [{"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1}]
    heard = translated(message(None, PRIVATE, photo=photo, caption="what is this?"))
    assert heard is not None
    assert heard.text == "what is this?"
    caption = f"{MENTION} and this?"
    in_group = message(None, GROUP, photo=photo, caption=caption, caption_entities=[mention(caption)])
    heard = translated(in_group)
    assert heard is not None
    assert heard.text == "and this?"


@pytest.mark.parametrize(
    "body",
    [
        message("chatter", GROUP),
        message("!wow", GROUP),
        message("hi", **{"from": BOT}),
        message("hi", **{"from": {"id": 5, "is_bot": True, "first_name": "Other"}}),
        message(f"{MENTION} hi", GROUP, entities=[mention(MENTION)], sender_chat=GROUP),
        message(None, PRIVATE, photo=[]),
        message("   "),
        message("post", {"id": -1005, "type": "channel", "title": "News"}),
    ],
    ids=["chatter", "bang", "self", "bot", "anonymous", "photo", "blank", "channel"],
)
def test_not_for_the_bot(body: dict[str, Any]) -> None:
    assert translated(body) is None


def test_channel_posts_are_not_heard() -> None:
    assert translated(message("hi"), "channel_post") is None
    assert translated(message("hi"), "edited_channel_post") is None


def test_an_edit_is_a_change_of_the_message_that_it_was() -> None:
    said = translated(message("hi"))
    edited = translated(message("hi there", edit_date=1_790_000_100), "edited_message")
    assert said is not None
    assert edited is not None
    assert (said.change, edited.change, edited.text) == (None, "edited", "hi there")
    assert (edited.dedupe_key, edited.place, edited.sent_at) == (said.dedupe_key, said.place, said.sent_at)


def test_an_edit_is_read_as_a_message_is() -> None:
    named = message(f"{MENTION} and now?", GROUP, entities=[mention(MENTION)])
    edited = translated(named, "edited_message")
    assert edited is not None
    assert (edited.text, edited.change) == ("and now?", "edited")
    assert translated(message("and now?", GROUP), "edited_message") is None
    moving = message(None, location={"longitude": 1.0, "latitude": 2.0})
    assert translated(moving) is not None
    assert translated(moving, "edited_message") is None


def test_sender_without_a_name_shows_what_there_is() -> None:
    nameless = {"id": 42, "is_bot": False, "first_name": "", "username": "ally"}
    heard = translated(message("hi", **{"from": nameless}))
    assert heard is not None
    assert heard.sender == Sender(id="42", name="ally")
