"""The table, the JSON, and whether the promise held."""

from collections import Counter
from dataclasses import replace

import pytest

from bots.torture.checker import Finding, Kind, Share, Verdict
from bots.torture.frozen import Hands
from bots.torture.plan import Plan
from bots.torture.remains import Place
from bots.torture.report import Report, percentile

FIGURES = {
    **{"said": 2, "accepted": 2, "answered": 0, "apologised": 0, "refused": 0, "uncertain": 0},
    **{"withdrawn": 0, "undeliverable": 0, "stale": 0},
    **{"lost": 0, "duplicates": 0, "swaps": 0, "strays": 0},
}


HERE, THERE = Place("telegram", "7", ""), Place("telegram", "8", "")


def report(*findings: Finding, recovery: tuple[float, ...] = (), frozen: tuple[Hands, ...] = ()) -> Report:
    verdict = Verdict(
        accepted=4,
        ends=Counter(answered=3, refused=1),
        strays=1,
        findings=findings,
        channels={
            "telegram": Share(said=2, accepted=2, ends=Counter(answered=2), strays=0),
            "slack": Share(said=2, accepted=2, ends=Counter(answered=1, refused=1), strays=1),
        },
    )
    faults = {"kill": 1, **({"freeze": len(frozen)} if frozen else {})}
    return Report(
        plan=Plan(messages=4, kills=1, seed=9),
        verdict=verdict,
        faults=faults,
        frozen=frozen,
        recovery=recovery,
        seconds=1.25,
    )


def test_the_json_names_every_figure() -> None:
    assert report(recovery=(0.5, 0.1)).as_json() == {
        **{
            "seed": 9,
            "faults": 1,
            "faults_by_kind": {"kill": 1},
            "freezes": 0,
            "accepted": 4,
            "answered": 3,
            "apologised": 0,
            "refused": 1,
        },
        **{"withdrawn": 0, "undeliverable": 0, "stale": 0, "unheard": 0},
        **{"uncertain": 0, "lost": 0, "duplicates": 0, "swaps": 0, "strays": 1, "kills": 1, "recovered": 2},
        **{"recovery_ms": {"p50": 100, "p99": 500}, "seconds": 1.2, "findings": [], "held": True},
        "channels": {
            "telegram": {**FIGURES, "answered": 2},
            "slack": {**FIGURES, "answered": 1, "refused": 1, "strays": 1},
        },
    }


def test_one_finding_breaks_the_promise() -> None:
    broken = report(Finding(kind="lost", invariant="I3", line="m1 was accepted 0 times"))
    assert not broken.held
    assert broken.as_json()["lost"] == 1
    assert broken.as_table().splitlines()[-2:] == [
        "lost: m1 was accepted 0 times",
        "The promise did not hold.",
    ]


TWICE = Finding(kind="duplicate", invariant="I2", line="m1", shown_in=HERE, about=(1,))
SWAPPED = Finding(kind="swap", invariant="I4", line="m1", shown_in=HERE, about=(2, 1))


def frozen(times: int, hands: Hands) -> tuple[Hands, ...]:
    """So many freezes, of which the last one stopped somebody with this in hand."""
    return (*({},) * (times - 1), hands)


def test_each_ten_freezes_excuse_one_line_too_many_and_fewer_none() -> None:
    had = {HERE: frozenset({1, 9})}
    assert not report(TWICE).held
    assert not report(TWICE, frozen=frozen(9, had)).held
    assert report(TWICE, frozen=frozen(10, had)).held
    assert report(SWAPPED, frozen=frozen(10, had)).held
    assert not report(TWICE, SWAPPED, frozen=frozen(19, had)).held
    assert report(TWICE, SWAPPED, frozen=frozen(20, had)).held


@pytest.mark.parametrize(
    "finding",
    [
        replace(TWICE, shown_in=THERE),
        replace(SWAPPED, shown_in=THERE),
        replace(TWICE, shown_in=None),
        replace(TWICE, about=(3,)),
        replace(TWICE, shown_in=THERE, about=()),
    ],
    ids=["another place", "swapped elsewhere", "not seen", "another message", "a line elsewhere"],
)
def test_what_no_frozen_process_had_in_hand_is_not_excused(finding: Finding) -> None:
    told = report(finding, frozen=frozen(100, {HERE: frozenset({1})}))
    assert not told.held
    assert told.broken == (finding,)


def test_a_line_that_names_no_message_is_excused_where_a_frozen_process_spoke() -> None:
    line = replace(TWICE, about=())
    assert report(line, frozen=frozen(10, {HERE: frozenset({1})})).held


def test_what_is_excused_is_still_counted_and_told() -> None:
    told = report(TWICE, frozen=frozen(10, {HERE: frozenset({1})}))
    assert told.as_json()["duplicates"] == 1
    assert told.as_json()["held"]
    lines = told.as_table().splitlines()
    assert "duplicate: m1" in lines
    assert [line.split()[-1] for line in lines if line.startswith("excused by a freeze")] == ["1"]
    assert "excused" not in report().as_table()


@pytest.mark.parametrize("kind", ["lost", "half", "foreign", "stray", "silence", "left", "ledger", "exit"])
def test_no_freeze_excuses_anything_else(kind: Kind) -> None:
    finding = replace(TWICE, kind=kind)
    assert not report(finding, frozen=frozen(100, {HERE: frozenset({1})})).held


def test_the_table_has_a_row_for_each_channel() -> None:
    swapped = report(Finding(kind="swap", invariant="I4", line="m2", channel="slack"))
    lines = swapped.as_table().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("channel "))
    head, *rows = (line.split() for line in lines[start : start + 3])
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(row["channel"], row["answered"], row["swaps"]) for row in told] == [
        ("telegram", "2", "0"),
        ("slack", "1", "1"),
    ]


def test_a_slow_recovery_breaks_it_too() -> None:
    assert report(recovery=(4.9,)).held
    assert not report(recovery=(0.1, 5.1)).held


def test_many_findings_are_counted_and_not_all_told() -> None:
    many = report(*(Finding(kind="swap", invariant="I4", line=str(number)) for number in range(25)))
    assert "and more: 5 swap" in many.as_table()


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile((), 50) is None
    assert percentile((3.0, 1.0, 2.0), 50) == 2.0
    assert percentile(tuple(map(float, range(1, 201))), 99) == 198.0


@pytest.mark.parametrize(
    ("faults", "held"),
    [
        ({"kill": 20, "postgres": 4, "redis flush": 1, "redis kill": 3}, True),
        ({"kill": 19, "postgres": 4, "redis flush": 4}, False),
        ({"kill": 20, "postgres": 4, "redis flush": 3}, False),
        ({}, False),
    ],
)
def test_a_minute_of_all_faults_needs_some(faults: dict[str, int], held: bool) -> None:
    told = replace(report(), plan=Plan(minutes=1.5), faults=faults)
    assert told.held is held
    assert told.as_table().endswith("The promise held.") is held
