"""What counts as fair: the slowest twentieth of waits, as people see them."""

import pytest

from bots.bench.waits import FEWEST, Fairness, Wait, Waits


def waits(name: str, *shown: float, judged: bool = True) -> Waits:
    return Waits(name=name, waits=[Wait(begun=one / 10, shown=one) for one in shown], judged=judged)


def fairness(*floods: Waits) -> Fairness:
    return Fairness(alone=waits("alone", *[1.0] * FEWEST), floods=floods, about={"machine": "this"})


@pytest.mark.parametrize(
    ("slow", "met"), [((2.9,), True), ((3.0,), True), ((3.1,), False), ((0.5, 9.0), False)]
)
def test_the_slowest_twentieth_may_be_three_times_as_slow(slow: tuple[float, ...], met: bool) -> None:
    flood = waits("20 chats", *[0.9] * FEWEST, *slow)
    assert fairness(flood).met is met
    assert fairness(waits("fine", *[1.0] * FEWEST), flood).met is met


def test_one_of_very_many_may_be_slower() -> None:
    assert fairness(waits("20 chats", *[1.0] * 40, 9.0)).met


def test_too_few_questions_prove_nothing() -> None:
    assert not fairness(waits("20 chats", *[1.0] * (FEWEST - 1))).met
    assert not fairness(waits("20 chats")).met


def test_a_flood_in_the_same_talk_is_told_and_not_judged() -> None:
    same = waits("the same chat", 80.0, judged=False)
    told = fairness(waits("20 chats", *[1.0] * FEWEST), same)
    assert told.met
    assert [flood["met"] for flood in told.as_json()["floods"]] == [True, None]
    assert told.as_json()["floods"][1]["ratio"] == 80.0


def test_the_table_has_a_line_for_each() -> None:
    text = fairness(waits("20 chats", *[4.0] * FEWEST)).as_text()
    _, _, _, alone, flood = text.splitlines()
    assert alone.split()[:2] == ["alone", str(FEWEST)]
    assert flood.split()[-2:] == ["4.0", "NO"]
