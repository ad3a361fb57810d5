"""What every model provider keeps, whoever is behind it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

import pytest

from bots.simulators.model import ModelSimulator
from core.llm.models import Models
from core.llm.tokens import ByteTokens
from core.messages import Delta, Finish
from core.ports import ModelProvider, ModelRequest


@pytest.fixture(params=["scripted", "gpt-5-mini"])
def name(request: pytest.FixtureRequest) -> str:
    return cast(str, request.param)


@pytest.fixture
async def provider(name: str) -> AsyncIterator[ModelProvider]:
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(ModelSimulator())
        models = Models(tokens=ByteTokens(), base_url=f"{vendor.url}/v1")
        stack.push_async_callback(models.close)
        yield models


def asked(name: str, *, stream: bool) -> ModelRequest:
    messages = (
        {"role": "system", "content": "Answer briefly."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "how are you?"},
    )
    return ModelRequest(model=name, messages=messages, max_tokens=200, stream=stream)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_is_deltas_and_then_one_finish(
    provider: ModelProvider, name: str, stream: bool
) -> None:
    *deltas, finish = [piece async for piece in provider.answer(asked(name, stream=stream))]
    assert deltas
    assert all(isinstance(piece, Delta) and piece.text for piece in deltas)
    assert isinstance(finish, Finish)
    assert finish.reason == "stop"
    assert finish.model
    assert finish.usage.prompt > 0
    assert finish.usage.completion > 0
    assert 0 <= finish.usage.cached <= finish.usage.prompt
    assert 0 <= finish.usage.reasoning <= finish.usage.completion


async def test_a_stream_comes_in_pieces_and_says_the_same_as_the_whole(
    provider: ModelProvider, name: str
) -> None:
    async def texts(stream: bool) -> list[str]:
        return [
            piece.text
            async for piece in provider.answer(asked(name, stream=stream))
            if isinstance(piece, Delta)
        ]

    streamed_texts, whole = await texts(True), await texts(False)
    assert len(streamed_texts) > 1
    assert len(whole) == 1
    assert "".join(streamed_texts) == whole[0]


async def test_leaving_early_leaves_the_provider_usable(provider: ModelProvider, name: str) -> None:
    for _ in range(3):
        answer = cast(AsyncGenerator[Delta | Finish, None], provider.answer(asked(name, stream=True)))
        assert isinstance(await anext(answer), Delta)
        await answer.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(answer)
    assert [piece async for piece in provider.answer(asked(name, stream=True))]


async def test_nothing_happens_before_the_first_step(provider: ModelProvider, name: str) -> None:
    answer = cast(AsyncGenerator[Delta | Finish, None], provider.answer(asked(name, stream=True)))
    await answer.aclose()
