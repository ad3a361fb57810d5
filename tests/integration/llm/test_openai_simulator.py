"""The provider against the simulated API: each trouble it can play, and a bill that agrees with our usage."""

from collections.abc import AsyncIterator

import pytest

from bots.simulators.model import ModelSimulator
from core.errors import ModelCut, ModelError, ModelRefused, ModelUnavailable
from core.llm.openai_model import OpenAIModel
from core.llm.patience import Timeouts
from core.llm.tokens import ByteTokens
from core.messages import Delta
from tests.integration.llm.asking import ask, request


@pytest.fixture
async def simulator() -> AsyncIterator[ModelSimulator]:
    async with ModelSimulator(answer=lambda _: "one two three four") as simulator:
        yield simulator


@pytest.fixture
async def asked(simulator: ModelSimulator) -> AsyncIterator[OpenAIModel]:
    timeouts = Timeouts(between=0.2)
    model = OpenAIModel(tokens=ByteTokens(), base_url=f"{simulator.url}/v1", timeouts=timeouts)
    yield model
    await model.close()


@pytest.mark.parametrize("stream", [True, False])
async def test_our_usage_is_what_is_billed(
    simulator: ModelSimulator, asked: OpenAIModel, stream: bool
) -> None:
    outcome = await ask(asked, request(stream=stream))
    assert outcome.text == "one two three four"
    assert outcome.finish is not None
    billed = simulator.calls[-1]
    assert outcome.finish.usage.prompt == billed.prompt_tokens
    assert outcome.finish.usage.completion == billed.completion_tokens
    assert not outcome.finish.usage.estimated


async def test_where_usage_is_never_told_it_is_estimated(
    simulator: ModelSimulator, asked: OpenAIModel
) -> None:
    simulator.usage = "never"
    outcome = await ask(asked)
    assert outcome.finish is not None
    assert outcome.finish.usage.estimated
    assert outcome.finish.usage.completion == ByteTokens().count(outcome.text)


@pytest.mark.parametrize(
    ("kind", "fields", "expected", "code"),
    [
        ("too_many_requests", {"seconds": 7}, ModelUnavailable, "rate_limit"),
        ("insufficient_quota", {}, ModelUnavailable, "quota"),
        ("unauthorized", {}, ModelRefused, "bad_key"),
        ("context_length", {}, ModelRefused, "context_length"),
        ("server_error", {}, ModelUnavailable, "overloaded"),
        ("html", {}, ModelUnavailable, "overloaded"),
        ("reset", {}, ModelUnavailable, "connection"),
        ("cut", {"after": 2}, ModelCut, "connection"),
        ("stall", {"after": 2, "seconds": 60}, ModelCut, "timeout"),
        ("error_in_stream", {"after": 2}, ModelCut, "overloaded"),
    ],
)
async def test_every_trouble_has_its_error_and_passes(
    simulator: ModelSimulator,
    asked: OpenAIModel,
    kind: str,
    fields: dict[str, float],
    expected: type[ModelError],
    code: str,
) -> None:
    simulator.fault(kind, **fields)
    outcome = await ask(asked)
    assert type(outcome.error) is expected
    assert outcome.error is not None
    assert outcome.error.code == code
    assert outcome.error.retry_after == (7 if kind == "too_many_requests" else None)
    assert (await ask(asked)).text == "one two three four"


async def test_leaving_stops_the_generation(simulator: ModelSimulator, asked: OpenAIModel) -> None:
    simulator.fault("stall", after=1, seconds=60)
    answer = asked.answer(request())
    assert isinstance(await anext(answer), Delta)
    await answer.aclose()
    await simulator.wait_for(lambda calls: calls[-1].outcome == "cancelled")
    assert simulator.calls[-1].completion_tokens < 4
