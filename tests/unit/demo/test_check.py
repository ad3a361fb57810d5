"""The verdict holds only when all three platforms were answered exactly once."""

import json

import pytest

from bots.demo.check import SUMS, Outcome, as_json, as_table, judge, verdict
from bots.simulators.ledger import Seen, Version

EXPECTED = "19 * 23 = 437"


def said(*texts: str, author: str = "bot") -> Seen:
    versions = [Version(text=text, at=100.0 + number) for number, text in enumerate(texts)]
    return Seen(id=1, chat="you", author=author, versions=versions)


def held(channel: str) -> Outcome:
    return judge(channel, "asked", [said("…", EXPECTED)], EXPECTED, 100.0)


QUESTION = said("What is 19 * 23?", author="you")


def test_one_answer_grown_by_edits_holds() -> None:
    outcome = judge("telegram", "asked", [QUESTION, said("…", "19", f"Well: {EXPECTED}")], EXPECTED, 100.0)
    assert (outcome.held, outcome.edits, outcome.milliseconds) == (True, 2, 2000.0)
    assert verdict([held(channel) for channel in SUMS])


@pytest.mark.parametrize(
    ("seen", "answers", "others"),
    [
        ([QUESTION], 0, 0),
        ([QUESTION, said("…")], 0, 1),
        ([QUESTION, said(EXPECTED), said(EXPECTED)], 2, 0),
        ([QUESTION, said(EXPECTED), said("Something went wrong.")], 1, 1),
    ],
)
def test_none_two_or_anything_beside_it_does_not(seen: list[Seen], answers: int, others: int) -> None:
    outcome = judge("discord", "asked", seen, EXPECTED, 100.0)
    assert (outcome.answers, outcome.others, outcome.held) == (answers, others, False)
    assert not verdict([held("telegram"), outcome, held("slack")])


def test_an_answer_to_an_earlier_question_does_not_count() -> None:
    outcome = judge("telegram", "asked", [QUESTION, said(EXPECTED)], EXPECTED, 200.0)
    assert (outcome.answers, outcome.others, outcome.milliseconds) == (0, 0, None)


def test_an_answer_that_left_something_open_does_not_hold() -> None:
    assert not judge("telegram", "asked", [said(EXPECTED)], EXPECTED, 100.0, "no end").held


def test_a_platform_that_was_not_asked_fails_it_too() -> None:
    assert not verdict([held("telegram"), held("slack")])
    assert not verdict([])


def test_what_people_and_programs_read() -> None:
    missing = Outcome(channel="slack", asked="asked", why="no answer within 20 s")
    table = as_table([held("telegram"), missing]).splitlines()
    assert table[0].split() == ["channel", "asked", "answered", "edits", "milliseconds"]
    assert table[1].split() == ["telegram", "asked", "once", "1", "1000"]
    assert table[2].endswith("no answer within 20 s")
    report = json.loads(json.dumps(as_json([held("telegram"), missing], 1.234)))
    assert (report["ok"], report["seconds"], len(report["channels"])) == (False, 1.23, 2)
