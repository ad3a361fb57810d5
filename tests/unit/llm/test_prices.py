"""Whole micro-units from the row of the day, then from genai-prices, and never 0 for unknown."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.llm.prices import PriceBook, PriceRow
from core.messages import Cost, Usage

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINI = PriceRow(
    model="gpt-5-mini", since=date(2026, 1, 1), input=250_000, cached_input=25_000, output=2_000_000
)


def test_each_kind_of_token_has_its_price_and_reasoning_is_in_the_completion() -> None:
    usage = Usage(prompt=1000, cached=400, completion=100, reasoning=60)
    cost = PriceBook([MINI]).cost("gpt-5-mini", usage, NOW)
    assert cost == Cost(micro=150 + 10 + 200, source="config/prices.toml 2026-01-01")


def test_without_a_cached_price_the_input_price_counts() -> None:
    row = PriceRow(model="local", since=date(2026, 1, 1), input=1_000_000, output=0)
    assert PriceBook([row]).cost("local", Usage(prompt=10, cached=4), NOW) == Cost(
        micro=10, source="config/prices.toml 2026-01-01"
    )


@pytest.mark.parametrize(
    ("day", "micro"),
    [(date(2026, 1, 1), 1), (date(2026, 5, 31), 1), (date(2026, 6, 1), 2), (date(2026, 12, 31), 2)],
)
def test_the_row_of_the_day_counts(day: date, micro: int) -> None:
    rows = [
        PriceRow(model="house-model", since=since, input=price, output=0)
        for since, price in ((date(2026, 6, 1), 2), (date(2026, 1, 1), 1))
    ]
    cost = PriceBook(rows).cost(
        "house-model", Usage(prompt=1_000_000), datetime(day.year, day.month, day.day, tzinfo=UTC)
    )
    assert cost is not None
    assert cost.micro == micro


def test_before_the_first_row_the_price_is_unknown() -> None:
    row = PriceRow(model="house-model", since=date(2026, 1, 1), input=1, output=1)
    assert PriceBook([row]).cost("house-model", Usage(prompt=9), datetime(2025, 12, 31, tzinfo=UTC)) is None


@pytest.mark.parametrize(("tokens", "micro"), [(1, 0), (2, 1), (3, 1), (5, 1), (6, 2)])
def test_halves_round_up(tokens: int, micro: int) -> None:
    row = PriceRow(model="m", since=date(2026, 1, 1), input=250_000, output=0)
    cost = PriceBook([row]).cost("m", Usage(prompt=tokens), NOW)
    assert cost is not None
    assert cost.micro == micro


@given(
    prompt=st.integers(0, 10**7),
    share=st.integers(0, 100),
    completion=st.integers(0, 10**6),
    prices=st.tuples(*[st.integers(0, 10**8)] * 3),
)
def test_no_cost_is_off_by_more_than_half_a_unit(
    prompt: int, share: int, completion: int, prices: tuple[int, int, int]
) -> None:
    row = PriceRow(
        model="m", since=date(2026, 1, 1), input=prices[0], cached_input=prices[1], output=prices[2]
    )
    cached = prompt * share // 100
    cost = PriceBook([row]).cost("m", Usage(prompt=prompt, cached=cached, completion=completion), NOW)
    true = Fraction((prompt - cached) * prices[0] + cached * prices[1] + completion * prices[2], 10**6)
    assert cost is not None
    assert abs(cost.micro - true) <= Fraction(1, 2)


@pytest.mark.parametrize("name", ["gpt-5-mini", "openai/gpt-5-mini", "router/openai/GPT-5-mini"])
def test_a_providers_name_before_the_model_is_no_hindrance(name: str) -> None:
    for book in (PriceBook([MINI]), PriceBook()):
        assert book.cost(name, Usage(prompt=1_000_000), NOW) is not None


def test_the_operators_row_wins_over_the_package() -> None:
    dear = PriceRow(model="gpt-5-mini", since=date(2026, 1, 1), input=9, output=9, source="mine.toml")
    cost = PriceBook([dear]).cost("gpt-5-mini", Usage(prompt=1_000_000), NOW)
    assert cost == Cost(micro=9, source="mine.toml 2026-01-01")


def test_a_model_without_a_row_is_priced_by_the_package() -> None:
    cost = PriceBook().cost("gpt-4o-mini", Usage(prompt=1_000_000, cached=400_000, completion=100_000), NOW)
    assert cost is not None
    assert cost.micro == 180_000
    assert cost.source.startswith("genai-prices 0.")


PACKAGED = [
    "gpt-4o-mini",
    "gpt-5-mini",
    "claude-sonnet-4-5",
    "gemini-2.5-pro",
    "deepseek-chat",
    "gpt-3.5-turbo",
]


@given(
    name=st.sampled_from(PACKAGED),
    prompt=st.integers(0, 10**6),
    cached=st.integers(0, 10**6),
    said=st.integers(0, 10**5),
)
def test_a_kept_price_gives_what_the_package_gives(name: str, prompt: int, cached: int, said: int) -> None:
    usage = Usage(prompt=prompt, cached=min(prompt, cached), completion=said)
    book = PriceBook()
    book.cost(name, Usage(prompt=1000), NOW)
    assert book.cost(name, usage, NOW) == PriceBook().cost(name, usage, NOW)


@pytest.mark.parametrize("name", ["scripted", "llama3.2", "text-embedding-3-small", "", "/", "no such model"])
def test_an_unknown_price_is_none_and_not_zero(name: str) -> None:
    assert PriceBook([MINI]).cost(name, Usage(prompt=10, completion=10), NOW) is None
