"""Which message in a history is the one that was sent."""

from typing import Any
from uuid import UUID

import pytest

from bots.slack.ids import Me
from bots.slack.send import PLACEHOLDER, is_ours
from core.messages import OutboundMessage, Place

ME = Me(team="T1", user="U0BOT", bot="B0BOT", handle="parley")
PLACE = Place(account_id=UUID(int=1), channel="slack", chat="C1")


def keyed(key: str) -> dict[str, Any]:
    return {"metadata": {"event_type": "parley", "event_payload": {"k": key}}}


@pytest.mark.parametrize(
    ("said", "text", "ours"),
    [
        ({"user": "U0BOT", "text": "other", **keyed("mine")}, "a & b", True),
        ({"user": "U0BOT", "text": "a &amp; b", **keyed("other")}, "a & b", False),
        ({"user": "U0BOT", "text": "a &amp; b", "metadata": {"event_type": "x"}}, "a & b", False),
        ({"user": "U0BOT", "text": "a &amp; b"}, "a & b", True),
        ({"bot_id": "B0BOT", "text": "a &amp; b"}, "a & b", True),
        ({"user": "U2", "text": "a &amp; b"}, "a & b", False),
        ({"user": "U0BOT", "text": "a & b"}, "a & b", False),
        ({"user": "U0BOT", "text": PLACEHOLDER}, PLACEHOLDER, False),
        ({"user": "U0BOT", "text": PLACEHOLDER, **keyed("mine")}, PLACEHOLDER, True),
        ({}, "a & b", False),
    ],
)
def test_a_message_is_known_by_its_key_and_else_by_its_very_text(
    said: dict[str, Any], text: str, ours: bool
) -> None:
    assert is_ours(said, ME, OutboundMessage(place=PLACE, text=text, key="mine")) is ours
