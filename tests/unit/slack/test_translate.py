"""From Slack's payload to the house's message."""

from typing import Any
from uuid import UUID

import pytest

from bots.slack.ids import Me
from bots.slack.translate import plain, translate_command, translate_event
from core.messages import UNTOLD, Account, InboundMessage

ME = Me(team="T1", user="U0BOT", bot="B0BOT", handle="parley")
ACCOUNT = Account(id=UUID(int=1), tenant_id=UUID(int=2), channel="slack", name="T1:U0BOT")
KNOWN = frozenset({"help", "ask", "stop"})


def heard(text: str = "hi", **more: Any) -> InboundMessage | None:
    event = {"type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "text": text}
    event |= {"ts": "1700000000.000100"} | more
    return translate_event({"type": "event_callback", "event": event}, ME, ACCOUNT, KNOWN)


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        ("<@U0BOT> hello", "hello"),
        ("<@U0BOT>", ""),
        ("<@U0BOT>: hello", "hello"),
        ("hello <@U0BOT>", "hello"),
        ("<@U0BOT|parley>, <@U0BOT> hello", "hello"),
        ("is <@U0BOT> here?", "is @parley here?"),
        ("<@U0BOT> !help me", "!help me"),
        ("!help me", "!help me"),
        ("/ask why", "/ask why"),
        ("<@U0BOT> ask <@U2> and <#C9|general>", "ask @U2 and #general"),
    ],
)
def test_what_is_meant_for_the_bot_in_a_channel(given: str, typed: str) -> None:
    message = heard(given)
    assert message is not None
    assert message.text == typed
    assert (message.place.thread, message.place.direct) == ("1700000000.000100", False)


@pytest.mark.parametrize("given", ["hello", "!wow", "!helper", "<@U0BOTTOM> hi", "<@U2> hi"])
def test_what_is_not(given: str) -> None:
    assert heard(given) is None


@pytest.mark.parametrize(
    "more",
    [
        {"bot_id": "B9"},
        {"subtype": "message_changed"},
        {"subtype": "message_deleted"},
        {"subtype": "message_replied", "message": {"ts": "1700000000.000100"}},
        {"subtype": "channel_join"},
        {"hidden": True},
        {"user": "U0BOT"},
        {"user": "USLACKBOT"},
        {"user": None},
        {"channel": None},
        {"type": "reaction_added"},
        {"text": None},
    ],
)
def test_what_is_never_answered(more: dict[str, Any]) -> None:
    assert heard(**({"text": "hi", "channel_type": "im", "channel": "D1"} | more)) is None


@pytest.mark.parametrize("broken", [None, [], "x", {}, {"type": "message"}])
def test_what_cannot_be_read_is_left(broken: Any) -> None:
    assert translate_event({"event": broken}, ME, ACCOUNT) is None


def test_places() -> None:
    for more, thread, direct in (
        ({"channel": "D1", "channel_type": "im"}, "", True),
        ({"channel": "D1", "channel_type": None}, "", True),
        ({"channel": "D1", "channel_type": "im", "thread_ts": "16.1"}, "16.1", True),
        ({"channel": "G1", "channel_type": "mpim", "text": "<@U0BOT> hi"}, "1700000000.000100", False),
        ({"type": "app_mention", "channel_type": None, "thread_ts": "16.1"}, "16.1", False),
    ):
        message = heard(**more)
        assert message is not None
        assert (message.place.thread, message.place.direct) == (thread, direct)


def test_a_file_without_a_word_and_a_name() -> None:
    message = heard("", channel_type="im", files=[{"id": "F1"}], subtype="file_share")
    assert message is not None
    assert (message.text, message.sender.name) == ("", "U1")
    named = heard("hi", channel_type="im", user_profile={"display_name": "", "real_name": "Ann"})
    assert named is not None
    assert named.sender.name == "Ann"


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        ("a &lt;b&gt; &amp;&amp; c", "a <b> && c"),
        ("&amp;lt;", "&lt;"),
        ("<https://a.example>", "https://a.example"),
        ("<https://a.example|a.example>", "https://a.example"),
        ("<https://a.example/?x=1&amp;y=2|here>", "[here](https://a.example/?x=1&y=2)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<@U2> <@U2|ann> <#C1> <#C1|general>", "@U2 @ann #C1 #general"),
        ("<!here> <!channel|channel> <!subteam^S1|@team>", "@here channel @team"),
        ("<!date^1^{date}|yesterday>", "yesterday"),
        ("*bold* _it_ `x`", "*bold* _it_ `x`"),
    ],
)
def test_slack_signs_are_undone(given: str, typed: str) -> None:
    assert plain(given) == typed


def commanded(command: str, text: str = "", **more: Any) -> InboundMessage | None:
    payload = {"command": command, "text": text, "channel_id": "C1", "user_id": "U1", "trigger_id": "1.2.3"}
    return translate_command(payload | more, ACCOUNT, KNOWN)


@pytest.mark.parametrize(
    ("command", "text", "typed"),
    [
        ("/parley", "help", "/help"),
        ("/parley", "  !stop ", "/stop"),
        ("/parley", "/ask  why &lt;so&gt;", "/ask why <so>"),
        ("/parley", "why so", "/ask why so"),
        ("/parley", "", "/help"),
        ("/ask", "why", "/ask why"),
        ("/HELP", "", "/help"),
        ("/other", "why", "/ask why"),
    ],
)
def test_slash_commands(command: str, text: str, typed: str) -> None:
    message = commanded(command, text)
    assert message is not None
    assert (message.text, message.dedupe_key, message.place.thread) == (typed, "c:1.2.3", "")
    assert message.sent_at == UNTOLD


def test_a_command_from_a_direct_message_or_nowhere() -> None:
    message = commanded("/parley", "x", channel_id="D1", response_url="https://r.example")
    assert message is not None
    assert message.place.direct
    assert message.extra == {"response_url": "https://r.example"}
    assert commanded("/parley", "x", channel_id=None) is None


ROOT = {"channel": "C1", "channel_type": "channel", "ts": "1700000001.000200", "hidden": True}


def told(subtype: str, **more: Any) -> InboundMessage | None:
    event = {"type": "message", "subtype": subtype, **ROOT, **more}
    return translate_event({"event": event}, ME, ACCOUNT, KNOWN)


def inner(text: str, **more: Any) -> dict[str, Any]:
    body = {"type": "message", "user": "U1", "text": text, "ts": "1700000000.000100", **more}
    return body | {"edited": {"user": "U1", "ts": "1700000001.000000"}}


def test_an_edit_is_a_change_of_the_message_that_it_was() -> None:
    before = heard("<@U0BOT> hello")
    after = told("message_changed", message=inner("<@U0BOT> bye"), previous_message=inner("<@U0BOT> hello"))
    assert before is not None
    assert after is not None
    assert (before.change, after.change, after.text) == (None, "edited", "bye")
    assert (after.dedupe_key, after.place, after.sent_at) == (before.dedupe_key, before.place, before.sent_at)


def test_a_mention_told_again_after_an_edit_is_no_new_question() -> None:
    again = heard("<@U0BOT> bye", type="app_mention", channel_type=None, edited={"user": "U1", "ts": "1.2"})
    assert again is not None
    assert (again.change, again.dedupe_key) == ("edited", "m:C1:1700000000.000100")


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (inner("see <https://a.example>", attachments=[{}]), inner("see <https://a.example>")),
        (inner("nobody named"), inner("<@U0BOT> hello")),
        (inner("<@U0BOT> hello", bot_id="B9"), inner("hello")),
        (inner("<@U0BOT> hello", user="U0BOT"), inner("hello")),
        (inner("x", subtype="bot_message"), inner("y")),
        ({}, {}),
        (None, None),
    ],
)
def test_what_is_no_edit_of_a_question(now: Any, before: Any) -> None:
    assert told("message_changed", message=now, previous_message=before) is None


@pytest.mark.parametrize(
    "more",
    [
        {"subtype": "message_deleted", "deleted_ts": "1700000000.000100", "previous_message": inner("hi")},
        {"subtype": "message_deleted", "deleted_ts": "1700000000.000100"},
        {
            "subtype": "message_changed",
            "message": {
                "subtype": "tombstone",
                "ts": "1700000000.000100",
                "text": "This message was deleted.",
            },
            "previous_message": inner("hi"),
        },
    ],
)
def test_a_deletion_has_the_key_of_what_was_said(more: dict[str, Any]) -> None:
    before, deleted = heard("<@U0BOT> hi"), told(**more)
    assert before is not None
    assert deleted is not None
    assert (deleted.change, deleted.text) == ("deleted", "")
    assert (deleted.dedupe_key, deleted.place) == (before.dedupe_key, before.place)


def test_our_own_messages_may_go() -> None:
    ours = {"deleted_ts": "1700000000.000100", "previous_message": inner("hi", user="U0BOT", bot_id="B0BOT")}
    assert told("message_deleted", **ours) is None
