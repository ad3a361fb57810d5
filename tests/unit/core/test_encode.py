"""Rows as they go to Postgres: mended where it cannot hold them, refused where they are no JSON."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from core.errors import RowRefused
from core.messages import InboundMessage, Place, Sender
from core.rows import Arrival, Closing, Lease, TurnRow, Waiting, Writing
from core.store import encode

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLACE = Place(account_id=UUID(int=1), channel="console", chat="chat")
MESSAGE = InboundMessage(
    place=PLACE,
    sender=Sender(id="ann", name="Ann"),
    text="hello",
    dedupe_key="key",
    message_id="1",
    sent_at=NOW,
)
ARRIVAL = Arrival(
    inbox_id=UUID(int=2),
    user_id=UUID(int=3),
    conversation_id=UUID(int=4),
    tenant_id=UUID(int=5),
    kind="message",
    message=MESSAGE,
    owner="one",
    lease_seconds=30.0,
)
WAITING = Waiting(
    inbox_id=UUID(int=2),
    seq=0,
    kind="message",
    user_id=UUID(int=3),
    message=MESSAGE,
    accepted_at=NOW,
    asked_at=NOW,
    revision=3,
)
TURN = TurnRow(
    id=UUID(int=6),
    conversation_id=UUID(int=4),
    tenant_id=UUID(int=5),
    kind="answer",
    state="open",
    attempts=1,
    deadline_at=NOW,
)
LEASE = Lease(conversation_id=UUID(int=4), token=7)


def sets(rows: encode.Rows) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = orjson.loads(encode.join([rows]))
    return found


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("plain", "plain"),
        ("a\0b", "a�b"),
        ("a\ud800b", "a�b"),
        ("\ud83d\ude00", "😀"),
        ("\\u0000", "\\u0000"),
    ],
)
@pytest.mark.parametrize("change", [None, "edited"])
def test_what_no_database_could_hold_is_mended(said: str, held: str, change: Any) -> None:
    rows = sets(encode.arrival_rows(1, replace(ARRIVAL, message=replace(MESSAGE, text=said, change=change))))
    row = rows["changes"][0] if change else rows["arrivals"][0]["payload"]
    assert row["text"] == held


def test_what_is_no_json_and_what_has_no_key_is_refused() -> None:
    with pytest.raises(RowRefused, match="cannot be written"):
        encode.encode({"text": object()})
    with pytest.raises(RowRefused, match="dedupe key"):
        encode.arrival_rows(1, replace(ARRIVAL, message=replace(MESSAGE, dedupe_key="")))


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_a_change_is_a_row_of_its_own_set_and_no_arrival(change: Any) -> None:
    rows = sets(encode.arrival_rows(9, replace(ARRIVAL, message=replace(MESSAGE, change=change))))
    assert rows == {
        "changes": [
            {
                "n": 9,
                "inbox_id": str(ARRIVAL.inbox_id),
                "conversation_id": str(ARRIVAL.conversation_id),
                "account_id": str(PLACE.account_id),
                "dedupe_key": "key",
                "change": change,
                "kind": "message",
                "text": "hello",
            }
        ]
    }


def test_what_is_taken_tells_its_revision() -> None:
    rows = sets(encode.writing_rows(1, Writing(lease=LEASE, turn=TURN, takes=(WAITING,))))
    assert rows["takes"] == [
        {"n": 1, "turn_id": str(TURN.id), "inbox_id": str(WAITING.inbox_id), "revision": 3}
    ]
    assert rows["leases"] == [{"n": 1, "conversation_id": str(LEASE.conversation_id), "token": 7}]
    assert set(rows) == {"leases", "turns", "takes"}


def test_a_closing_tells_what_it_covers() -> None:
    closing = Closing(turn_id=TURN.id, end="stale", covers_before=NOW - timedelta(hours=1))
    (row,) = sets(encode.writing_rows(1, Writing(lease=LEASE, closing=closing)))["closings"]
    assert datetime.fromisoformat(row["covers_before"]) == closing.covers_before
    assert (row["end"], row["token"]) == ("stale", 7)


@pytest.mark.parametrize("changed", [True, False])
def test_what_became_of_a_change(changed: bool) -> None:
    found = {
        "fresh": False,
        "changed": changed,
        "inbox_id": str(UUID(int=2)),
        "conversation_id": str(UUID(int=4)),
    }
    accepted = encode.accepted(found)
    assert (accepted.changed, accepted.fresh, accepted.work) == (changed, False, None)
    assert not encode.accepted({name: found[name] for name in found if name != "changed"}).changed


@pytest.mark.parametrize("doubt", [None, NOW])
def test_work_tells_ages_revisions_and_doubts(doubt: datetime | None) -> None:
    line = {
        "conversation_id": str(UUID(int=4)),
        "tenant_id": str(UUID(int=5)),
        "account_id": str(PLACE.account_id),
        "channel": "console",
        "chat": "chat",
        "thread": "",
        "direct": True,
        "model_override": None,
        "last_message_id": None,
        "token": 7,
        "doubt_before": doubt and doubt.isoformat(),
    }
    row = {
        "inbox_id": str(WAITING.inbox_id),
        "seq": 0,
        "kind": "message",
        "user_id": str(WAITING.user_id),
        "payload": {"text": "hello", "message_id": "1", "sender": {"id": "ann", "name": "Ann"}, "extra": {}},
        "sent_at": NOW.isoformat(),
        "accepted_at": NOW.isoformat(),
        "asked_at": NOW.isoformat(),
        "attempts": 0,
        "revision": 3,
        "dedupe_key": "key",
        "preferred_model": None,
        "blocked": False,
    }
    work = encode.work({"line": line, "waiting": [row]})
    assert work.waiting == (WAITING,)
    assert work.line.doubt_before == doubt
    assert work.lease == LEASE
