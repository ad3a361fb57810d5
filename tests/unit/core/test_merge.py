"""Which waiting messages one turn answers together."""

from core.house import Rules
from core.turn import merge
from tests.unit.core.samples import BOB, waiting


def merged(*rows: object, most: int = 20, chars: int = 1000) -> list[str]:
    return [one.message.text for one in merge(rows, most, chars)]  # type: ignore[arg-type]


def test_nothing_waits() -> None:
    assert merge((), 20, 1000) == ()


def test_plain_messages_of_one_author_go_together() -> None:
    assert merged(waiting("a"), waiting("b"), waiting("c")) == ["a", "b", "c"]


def test_another_author_ends_it() -> None:
    rows = waiting("a"), waiting("b", user=BOB), waiting("c")
    assert merged(*rows) == ["a"]
    assert merged(*rows[1:]) == ["b"]


def test_commands_stand_alone() -> None:
    assert merged(waiting("/ask x", "command"), waiting("b")) == ["/ask x"]
    assert merged(waiting("a"), waiting("/ask x", "command"), waiting("b")) == ["a"]
    assert merged(waiting("/stop", "stop"), waiting("b")) == ["/stop"]
    assert merged(waiting("/new", "command"), waiting("/new", "command")) == ["/new"]


def test_no_more_than_allowed() -> None:
    assert merged(*(waiting(str(number)) for number in range(9)), most=3) == ["0", "1", "2"]


def test_what_is_merged_is_no_longer_than_one_message_may_be() -> None:
    rows = [waiting("x" * 40) for _ in range(5)]
    assert len(merged(*rows, chars=100)) == 2
    assert len(merged(waiting("x" * 400), *rows, chars=100)) == 1
    assert Rules(context_tokens=300).merge_chars < 300
