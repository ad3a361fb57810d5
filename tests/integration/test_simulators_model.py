"""The simulated model API, driven by the unmodified openai client, and by raw HTTP at the edges."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from bots.simulators.model import ModelSimulator
from bots.simulators.model.answers import tokens_of

HELLO: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "hello out there"},
]


@pytest.fixture
async def sim() -> AsyncIterator[ModelSimulator]:
    async with ModelSimulator() as simulator:
        yield simulator


@asynccontextmanager
async def connected(sim: ModelSimulator, key: str = "sk-any") -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{sim.url}/v1", api_key=key, max_retries=0) as client:
        yield client


@pytest.fixture
async def client(sim: ModelSimulator) -> AsyncIterator[openai.AsyncOpenAI]:
    async with connected(sim) as client:
        yield client


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def streamed(client: openai.AsyncOpenAI, **more: Any) -> list[ChatCompletionChunk]:
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True, **more)
    return [chunk async for chunk in stream]


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def test_a_plain_answer_with_usage(sim: ModelSimulator, client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="m", messages=HELLO)
    assert reply.choices[0].message.content == "echo: hello out there"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == "m"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 4)
    (call,) = sim.calls
    assert (call.outcome, call.prompt_tokens, call.completion_tokens, call.sent_tokens) == ("done", 7, 4, 4)


async def test_a_streamed_answer_has_the_real_shape(sim: ModelSimulator, client: openai.AsyncOpenAI) -> None:
    chunks = await streamed(client)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-1]] == ["echo:", " hello", " out", " there"]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("tokens_per_second", [None, 1000.0])
async def test_usage_comes_last_when_asked_for(tokens_per_second: float | None) -> None:
    async with ModelSimulator(tokens_per_second=tokens_per_second) as sim, connected(sim) as client:
        chunks = await streamed(client, stream_options={"include_usage": True})
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.total_tokens == 11
        assert text_of(chunks) == "echo: hello out there"
        sim.usage = "never"
        silent = await streamed(client, stream_options={"include_usage": True})
        assert all(chunk.usage is None for chunk in silent)
        plain = await client.chat.completions.create(model="m", messages=HELLO)
        assert plain.usage is None


async def test_raw_stream_ends_with_done(sim: ModelSimulator, http: aiohttp.ClientSession) -> None:
    body = {"model": "m", "messages": HELLO, "stream": True}
    async with http.post(f"{sim.url}/chat/completions", json=body) as answer:
        assert answer.content_type == "text/event-stream"
        text = await answer.text()
    assert text.endswith("data: [DONE]\n\n")
    assert all(event.startswith("data: ") for event in text.strip().split("\n\n"))


async def test_answers_as_asked(
    sim: ModelSimulator, client: openai.AsyncOpenAI, http: aiohttp.ClientSession
) -> None:
    async def answer_to(asked: dict[str, Any]) -> str:
        async with http.post(f"{sim.url}/_sim/answer", json=asked) as said:
            assert said.status == 200
        return text_of(await streamed(client))

    assert await answer_to({"text": "just this\n\n- one\n"}) == "just this\n\n- one\n"
    assert await answer_to({"words": 3}) == "word1 word2 word3"
    assert len(await answer_to({"bytes": 5000})) == 5000
    code = await answer_to({"code_lines": 40, "tokens_per_second": 100_000})
    assert code.startswith("```python\nvalue_1 = 1\n")
    assert code.count("\n") == 41
    assert sim.tokens_per_second == 100_000
    assert await answer_to({}) == "echo: hello out there"
    sim.answer = lambda messages: f"{len(messages)} messages"
    assert text_of(await streamed(client)) == "2 messages"
    limited = await streamed(client, max_completion_tokens=1)
    assert (text_of(limited), limited[-1].choices[0].finish_reason) == ("2", "length")


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"text": "a", "words": 1}, "text and words given; allowed: one of"),
        ({"words": -1}, "words: Input should be greater than or equal to 0"),
        ({"wrods": 1}, "wrods: Extra inputs are not permitted"),
    ],
)
async def test_a_wrong_wish_is_named(
    sim: ModelSimulator, http: aiohttp.ClientSession, asked: dict[str, Any], named: str
) -> None:
    async with http.post(f"{sim.url}/_sim/answer", json=asked) as answer:
        assert answer.status == 400
        assert named in (await answer.json())["error"]


def test_tokens_join_to_the_text() -> None:
    for text in ("", " ", "a", "  a\n b \n", "```python\nx = 1\n```", "é 🎉\t\n"):
        assert "".join(tokens_of(text)) == text


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ({"kind": "unauthorized"}, openai.AuthenticationError, "invalid_api_key"),
        ({"kind": "too_many_requests", "seconds": 7}, openai.RateLimitError, "rate_limit_exceeded"),
        ({"kind": "insufficient_quota"}, openai.RateLimitError, "insufficient_quota"),
        ({"kind": "context_length"}, openai.BadRequestError, "context_length_exceeded"),
        ({"kind": "server_error", "status": 503}, openai.InternalServerError, None),
        ({"kind": "html", "status": 502}, openai.InternalServerError, None),
    ],
)
async def test_errors_in_the_apis_form(
    sim: ModelSimulator,
    client: openai.AsyncOpenAI,
    fault: dict[str, Any],
    error: type[openai.APIStatusError],
    code: str | None,
) -> None:
    sim.fault(**fault)
    with pytest.raises(error) as refused:
        await streamed(client)
    assert refused.value.code == code
    assert refused.value.status_code == sim.calls[0].status
    if "seconds" in fault:
        assert refused.value.response.headers["retry-after"] == "7"
    assert (sim.calls[0].outcome, sim.calls[0].prompt_tokens) == ("refused", 0)
    assert text_of(await streamed(client)) == "echo: hello out there"


async def test_keys_limits_and_wrong_requests(http: aiohttp.ClientSession) -> None:
    async with ModelSimulator(api_key="sk-right", context_tokens=5) as sim:
        async with connected(sim, "sk-wrong") as wrong:
            with pytest.raises(openai.AuthenticationError):
                await streamed(wrong)
        async with connected(sim, "sk-right") as right:
            with pytest.raises(openai.BadRequestError, match="maximum context length is 5 tokens"):
                await streamed(right)
            assert [model.id async for model in right.models.list()] == ["simulated"]
            with pytest.raises(openai.NotFoundError, match="Unknown request URL: POST /v1/embeddings"):
                await right.embeddings.create(model="m", input="x")
        assert sim.unknown_paths == ["/v1/embeddings"]
        headers = {"Authorization": "Bearer sk-right"}
        for body, named in (
            ({"messages": HELLO}, "you must provide a model parameter"),
            ({"model": "m"}, "Missing required parameter: 'messages'."),
        ):
            async with http.post(f"{sim.url}/v1/chat/completions", json=body, headers=headers) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]["message"] == named


async def test_a_stream_cut_after_some_tokens(sim: ModelSimulator, client: openai.AsyncOpenAI) -> None:
    sim.fault("cut", after=2)
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
    got = [(await anext(stream)).choices[0].delta.content for _ in range(3)]
    assert got == ["", "echo:", " hello"]
    with pytest.raises(openai.APIConnectionError):
        await anext(stream)
    (call,) = sim.calls
    assert (call.outcome, call.completion_tokens, call.sent_tokens) == ("cut", 2, 2)


async def test_an_error_in_mid_stream(sim: ModelSimulator, client: openai.AsyncOpenAI) -> None:
    sim.fault("error_in_stream", after=1)
    with pytest.raises(openai.APIError, match="The server had an error"):
        await streamed(client)
    assert sim.calls[0].outcome == "cut"


@pytest.mark.parametrize("stream", [True, False])
async def test_connections_that_break(sim: ModelSimulator, client: openai.AsyncOpenAI, stream: bool) -> None:
    for kind in ("reset", "accept_then_drop"):
        sim.fault(kind)
        with pytest.raises(openai.APIConnectionError):
            await client.chat.completions.create(model="m", messages=HELLO, stream=stream)
    refused, dropped = sim.calls
    assert (refused.outcome, refused.completion_tokens) == ("refused", 0)
    assert (dropped.outcome, dropped.completion_tokens, dropped.sent_tokens) == ("cut", 4, 0)


@pytest.mark.parametrize("after", [0, 2])
async def test_a_client_that_leaves_a_stalled_stream_pays_for_what_was_generated(
    sim: ModelSimulator, client: openai.AsyncOpenAI, after: int
) -> None:
    sim.fault("stall", after=after, seconds=60)
    stream = await client.chat.completions.create(model="m", messages=HELLO, stream=True)
    await sim.wait_for(lambda calls: calls and calls[0].sent_tokens == after)
    await stream.close()
    await sim.wait_for(lambda calls: calls[0].outcome == "cancelled")
    assert (sim.calls[0].completion_tokens, sim.calls[0].sent_tokens) == (after, after)


async def test_a_short_stall_goes_on(sim: ModelSimulator, client: openai.AsyncOpenAI) -> None:
    sim.fault("stall", after=1, seconds=0.01)
    assert text_of(await streamed(client)) == "echo: hello out there"
    assert sim.calls[0].outcome == "done"


async def test_latency_is_waited_for(client: openai.AsyncOpenAI, sim: ModelSimulator) -> None:
    sim.latency = 60
    with pytest.raises(openai.APITimeoutError):
        await client.chat.completions.create(model="m", messages=HELLO, timeout=0.05)
    await sim.wait_for(lambda calls: calls[0].outcome == "cancelled")
    assert sim.calls[0].completion_tokens == 0


async def test_the_bill_over_http(
    sim: ModelSimulator, client: openai.AsyncOpenAI, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{sim.url}/_sim/fault", json={"kind": "cut", "after": 1}) as answer:
        assert answer.status == 200
    with pytest.raises(openai.APIConnectionError):
        await streamed(client)
    await streamed(client)
    async with http.get(f"{sim.url}/_sim/bill") as answer:
        bill = await answer.json()
    assert bill["totals"] == {"calls": 2, "prompt_tokens": 14, "completion_tokens": 5, "sent_tokens": 5}
    assert [call["outcome"] for call in bill["calls"]] == ["cut", "done"]
    assert bill["calls"][0]["model"] == "m"


async def test_what_was_asked_can_be_read(sim: ModelSimulator, client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(model="m", messages=HELLO, temperature=0.5)
    assert sim.requests[-1]["messages"] == HELLO
    assert sim.requests[-1]["temperature"] == 0.5


async def test_stopping_ends_streams_and_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    async with ModelSimulator(latency=60) as sim, connected(sim) as client:
        asking = asyncio.create_task(streamed(client))
        await sim.wait_for(lambda calls: calls and calls[0].model)
        await sim.stop()
        with pytest.raises(openai.APIConnectionError):
            await asking
    assert asyncio.all_tasks() <= before | {asking}
