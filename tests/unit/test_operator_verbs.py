"""What the verbs of an operator print: spans of time, a fence, a turn."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import typer

from bots.cli import fence, turns
from core.store.fence import Concern, Fence
from core.store.letters import Enclosed, Letter

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
STANDS = Concern(
    fence=Fence(raised_at=AT, reason="its last seconds are missing"), conversations=1, messages=1_200, since=1
)
LETTER = Letter(
    id=UUID(int=5),
    channel="telegram",
    chat="42",
    kind="answer",
    state="closed",
    end="apologised",
    attempts=3,
    started_at=AT,
    ended_at=None,
    error="it failed\nagain",
)
ENCLOSED = Enclosed(
    messages=({"kind": "message", "state": "done", "text": "my secret"},),
    parts=({"part": 1, "state": "sent", "receipt": "7", "body": "sorry"},),
    calls=(),
)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("45s", timedelta(seconds=45)),
        ("90m", timedelta(minutes=90)),
        ("24h", timedelta(days=1)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_span_of_time(words: str, found: timedelta) -> None:
    assert turns.span(words) == found


@pytest.mark.parametrize("words", ["", "24", "h", "-1h", "1.5h", "1w", "24h ", "9999999d"])
def test_what_is_no_span_is_said(words: str) -> None:
    with pytest.raises(typer.BadParameter, match="allowed are such as 45s, 90m, 24h, 7d"):
        turns.span(words)


def test_a_fence_in_words() -> None:
    assert fence.in_words(STANDS).splitlines() == [
        "Fenced since 2026-11-22 09:30:00 UTC: its last seconds are missing.",
        "Messages are accepted, but nothing is answered.",
        "`parley fence lift`: 1,200 messages in 1 conversation asked before may have been answered: each"
        " conversation gets one notice and no answer; 1 message asked since is answered.",
        "`parley fence lift --resume`: 1,200 messages in 1 conversation asked before are answered as if"
        " nothing had been; 1 message asked since is answered.",
    ]
    assert fence.in_words(Concern(fence=None)) == "No fence stands: messages are answered."


def test_a_fence_for_programs() -> None:
    assert fence.as_dict(STANDS) == {
        "fenced": True,
        "raised_at": "2026-11-22T09:30:00+00:00",
        "reason": "its last seconds are missing",
        "before": {"conversations": 1, "messages": 1200},
        "since": {"messages": 1},
    }
    none = fence.as_dict(Concern(fence=None))
    assert (none["fenced"], none["raised_at"], none["reason"]) == (False, None, None)


def test_what_was_said_is_shown_only_when_asked_for() -> None:
    hidden = turns.as_dict(LETTER, ENCLOSED, text=False)
    assert "my secret" not in str(hidden)
    assert "sorry" not in str(hidden)
    shown = turns.as_dict(LETTER, ENCLOSED, text=True)
    assert (shown["messages"][0]["text"], shown["parts"][0]["body"]) == ("my secret", "sorry")
    assert (shown["id"], shown["started_at"]) == (str(LETTER.id), "2026-11-22T09:30:00.000+00:00")


def test_a_turn_in_words() -> None:
    assert turns.in_words(turns.as_dict(LETTER, ENCLOSED, text=True)).splitlines() == [
        f"id {LETTER.id}  channel telegram  chat 42  kind answer  state closed  end apologised  attempts 3"
        "  started_at 2026-11-22T09:30:00.000+00:00  error 'it failed\\nagain'",
        "",
        "messages:",
        "  kind message  state done  text 'my secret'",
        "",
        "parts:",
        "  part 1  state sent  receipt 7  body 'sorry'",
        "",
        "calls: none",
    ]
