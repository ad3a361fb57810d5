"""A model that fails: the next one, what came so far, or one apology; and a ledger that tells all of it."""

import pytest

from tests.integration.turn.conftest import Begin
from tests.integration.turn.talk import Talk

SPARE = {"PARLEY_MODEL__FALLBACKS": "spare-model"}
APOLOGY = "I could not get an answer from the model just now. Please try again in a moment."
HASTY = {
    "PARLEY_MODEL__FIRST_TOKEN_SECONDS": "0.3",
    "PARLEY_MODEL__BETWEEN_TOKENS_SECONDS": "0.3",
    "PARLEY_MODEL__TURN_SECONDS": "5",
}
LEDGER = "SELECT model, state, attempt FROM model_calls ORDER BY attempt"


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("too_many_requests", {"seconds": 30}),
        ("too_many_requests", {"seconds": 0}),
        ("server_error", {}),
        ("html", {"status": 502}),
        ("reset", {}),
        ("unauthorized", {}),
        ("context_length", {}),
        ("insufficient_quota", {}),
        ("stall", {"seconds": 60}),
        ("error_in_stream", {}),
    ],
)
async def test_the_next_model_answers(begin: Begin, kind: str, fields: dict[str, float]) -> None:
    async with begin(**SPARE, **HASTY) as talk:
        talk.model.fault(kind, **fields)
        assert await talk.ask("hello") == ["echo: hello"]
        assert await talk.rows(LEDGER) == [("gpt-5-mini", "failed", 1), ("spare-model", "settled", 2)]
        assert await talk.outcomes() == ["answered"]


@pytest.mark.parametrize("kind", ["unauthorized", "context_length", "server_error"])
async def test_when_all_fail_there_is_one_apology_without_the_vendors_words(begin: Begin, kind: str) -> None:
    async with begin(**SPARE) as talk:
        talk.model.fault(kind, times=10)
        assert await talk.ask("hello") == [APOLOGY]
        assert await talk.outcomes() == ["apologised"]
        ledger = await talk.rows("SELECT state, prompt_tokens, error <> '' FROM model_calls")
        assert set(ledger) == {("failed", 0, True)}
        talk.model.faults.clear()
        assert await talk.ask("and now?") == ["echo: and now?"]
        assert talk.asked() == ["hello", "and now?"]


async def test_a_vendor_that_asks_for_a_moment_is_asked_again(talk: Talk) -> None:
    talk.model.fault("too_many_requests", seconds=0)
    assert await talk.ask("hello") == ["echo: hello"]
    assert await talk.rows(LEDGER) == [("gpt-5-mini", "failed", 1), ("gpt-5-mini", "settled", 2)]


async def test_what_came_before_the_cut_is_kept_and_marked(talk: Talk) -> None:
    talk.model.answer = lambda _: "one two three four five six seven eight"
    talk.model.fault("cut", after=4, times=3)
    (answer,) = await talk.ask("hello")
    assert answer == "one two three four\n\n(cut off: the model stopped in the middle)"
    assert await talk.outcomes() == ["answered"]
    assert await talk.column("SELECT state FROM model_calls") == ["interrupted"] * 3


async def test_an_answer_cut_midway_is_asked_for_again_in_the_same_message(talk: Talk) -> None:
    talk.model.answer = lambda _: "one two three four five six seven eight"
    talk.model.tokens_per_second = 50
    talk.model.fault("cut", after=4)
    assert await talk.ask("hello") == ["one two three four five six seven eight"]
    assert await talk.column("SELECT state FROM model_calls ORDER BY attempt") == ["interrupted", "settled"]


async def test_an_answer_at_its_longest_length_says_so(begin: Begin) -> None:
    async with begin(PARLEY_MODEL__ANSWER_TOKENS="3") as talk:
        (answer,) = await talk.ask("one two three four five")
        assert answer == "echo: one two\n\n(cut off: the answer reached its longest length)"
        assert await talk.column("SELECT finish_reason FROM model_calls") == ["length"]


async def test_an_empty_answer_is_an_apology_and_not_silence(talk: Talk) -> None:
    talk.model.answer = lambda _: ""
    assert await talk.ask("hello") == [APOLOGY]
    assert await talk.outcomes() == ["apologised"]


async def test_the_ledger_says_what_the_vendor_billed(talk: Talk) -> None:
    for text in ("hello", "and once more", "good bye then"):
        await talk.ask(text)
    ledger = await talk.rows(
        "SELECT prompt_tokens, completion_tokens, state, estimated FROM model_calls ORDER BY started_at"
    )
    assert ledger == [
        (call.prompt_tokens, call.completion_tokens, "settled", False) for call in talk.model.calls
    ]
    rollup = await talk.rows(
        "SELECT calls, prompt_tokens, completion_tokens, unpriced_calls FROM usage_hourly"
    )
    totals = talk.model.bill.as_json()["totals"]
    assert [sum(row[column] for row in rollup) for column in range(4)] == [
        3, totals["prompt_tokens"], totals["completion_tokens"], 0,
    ]  # fmt: skip
    assert all(cost > 0 for cost in await talk.column("SELECT cost_micro FROM model_calls"))


async def test_a_call_is_in_the_ledger_before_the_vendor_has_it(begin: Begin) -> None:
    async with begin(PARLEY_TURNS__DRAIN_SECONDS="0.1") as talk:
        talk.model.latency = 60
        talk.say("hello")
        await talk.model.wait_for(lambda calls: len(calls) == 1)
        reserved = "SELECT state, reserved_prompt > 0, reserved_completion > 0 FROM model_calls"
        assert await talk.rows(reserved) == [("reserved", True, True)]


async def test_an_unknown_price_is_null_and_never_zero(begin: Begin) -> None:
    async with begin(PARLEY_MODEL="unheard-of") as talk:
        await talk.ask("hello")
        assert await talk.rows("SELECT cost_micro, price_source FROM model_calls") == [(None, None)]
        assert await talk.rows("SELECT calls, unpriced_calls FROM usage_hourly") == [(1, 1)]


async def test_where_no_usage_is_told_it_is_estimated_and_marked(talk: Talk) -> None:
    talk.model.usage = "never"
    await talk.ask("hello there my friend")
    ((estimated, prompt, completion),) = await talk.rows(
        "SELECT estimated, prompt_tokens, completion_tokens FROM model_calls"
    )
    assert estimated
    assert prompt >= talk.model.calls[0].prompt_tokens
    assert completion > 0
