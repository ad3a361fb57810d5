"""The arithmetic of the bench: medians, spread, ratios and what is wanted of them."""

import pytest

from bots.bench.measure import Sample, middle
from bots.bench.report import Ratio, Report, compare, compare_all


def sample(*, turns: int = 100, wall: float = 1.0, cpu: float = 0.1, postgres: float = 0.0) -> Sample:
    return Sample(turns=turns, wall=wall, cpu=cpu, postgres=postgres, redis=0.0)


SAMPLES = {
    "ours": [sample(cpu=0.1), sample(cpu=0.2), sample(cpu=0.9)],
    "other": [sample(cpu=0.8, wall=2.0), sample(cpu=1.0, wall=4.0), sample(cpu=1.2, wall=8.0)],
}


def test_a_sample_gives_figures_for_each_turn() -> None:
    one = sample(turns=50, wall=2.0, cpu=0.5, postgres=0.25)
    assert one.figure("cpu") == pytest.approx(10_000)
    assert one.figure("postgres") == pytest.approx(5_000)
    assert one.figure("rate") == pytest.approx(25)
    assert one.figure("latency") == pytest.approx(40)


def test_the_median_counts_and_the_spread_is_told() -> None:
    found = middle(SAMPLES["ours"], "cpu")
    assert found.median == pytest.approx(2_000)
    assert found.spread == pytest.approx((9_000 - 1_000) / 2_000)


def test_figures_of_nothing_have_no_spread() -> None:
    assert middle(SAMPLES["ours"], "redis").spread == 0


@pytest.mark.parametrize(
    ("ratio", "wanted", "met"),
    [
        (Ratio("cpu", "cpu", "ours", "other", at_most=0.2), "<= 0.200", True),
        (Ratio("cpu", "cpu", "ours", "other", at_most=0.19), "<= 0.190", False),
        (Ratio("rate", "rate", "other", "ours", at_least=0.25), ">= 0.250", True),
        (Ratio("rate", "rate", "other", "ours", at_least=0.26), ">= 0.260", False),
        (Ratio("cpu", "cpu", "ours", "other"), None, None),
    ],
)
def test_a_ratio_is_held_against_what_is_wanted(ratio: Ratio, wanted: str | None, met: bool | None) -> None:
    row = compare(ratio, SAMPLES)
    assert row.ratio == pytest.approx(row.ours / row.reference)
    assert (row.wanted, row.met) == (wanted, met)


def test_a_report_is_met_when_nothing_wanted_is_missed() -> None:
    missed = Ratio("cpu", "cpu", "ours", "other", at_most=0.1)
    kept = Ratio("cpu", "cpu", "ours", "other", at_most=0.5)
    told = Ratio("cpu", "cpu", "ours", "other")
    for ratios, met in (((kept, told), True), ((kept, missed), False)):
        assert Report(rows=compare_all(ratios, SAMPLES), samples=SAMPLES, about={}).met is met


def test_what_cannot_be_known_is_no_row() -> None:
    assert compare_all([Ratio("servers", "postgres", "ours", "other")], SAMPLES) == []


def test_a_row_for_programs_has_exactly_these_members() -> None:
    report = Report(
        rows=compare_all([Ratio("cpu", "cpu", "ours", "other", at_most=0.5)], SAMPLES),
        samples=SAMPLES,
        about={},
    )
    assert report.as_json()["rows"] == [
        {
            "what": "cpu",
            "ours": 2_000,
            "reference": 10_000,
            "unit": "us CPU/turn",
            "ratio": 0.2,
            "wanted": "<= 0.500",
            "met": True,
        }
    ]


def test_the_table_shows_every_contender_and_every_ratio() -> None:
    rows = compare_all([Ratio("the one", "cpu", "ours", "other", at_most=0.1)], SAMPLES)
    text = Report(rows=rows, samples=SAMPLES, about={"machine": "this one"}).as_text()
    for words in ("machine: this one", "ours", "other", "the one", "<= 0.100", "NO"):
        assert words in text
