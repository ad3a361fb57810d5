"""What goes over the wire: the same request as the SDK's own, one connection for many, closed when we
leave."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, DefaultAioHttpClient

from core.errors import ModelRefused, ModelUnavailable
from core.llm.openai_model import OpenAIModel
from core.llm.tokens import ByteTokens
from core.ports import ModelRequest
from tests.integration.llm.asking import ask, request
from tests.integration.llm.conftest import KEY
from tests.integration.llm.vendor import (
    DONE,
    STREAM_END,
    STREAM_HEAD,
    USAGE,
    Exchange,
    Play,
    Vendor,
    completion,
    delta,
    framed,
    plain,
    says,
    stalls_after,
    streamed,
    usage,
)

HISTORY: tuple[dict[str, str], ...] = (
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": 'Tabs\tand "quotes" \\ \x01\x7f, привет, 日本, 👩‍👩‍👧, \u2028'},
    {"role": "assistant", "content": "Line\r\nend </script>"},
    {"role": "user", "content": ""},
)
FULL = streamed(delta("Good day.", "stop"), usage(USAGE), DONE)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_bytes_on_the_wire_equal_what_create_sends(
    vendor: Vendor, model: OpenAIModel, stream: bool
) -> None:
    vendor.play = says(FULL if stream else plain(completion("Good day.")))
    asked = ModelRequest(model="gpt-5-mini", messages=HISTORY, max_tokens=77, stream=stream)
    assert (await ask(model, asked)).text == "Good day."
    limits = httpx2.Timeout(None, connect=5.0, pool=5.0)
    client = AsyncOpenAI(
        api_key=KEY,
        base_url=vendor.url,
        max_retries=0,
        timeout=limits,
        http_client=DefaultAioHttpClient(timeout=limits),
    )
    arguments: dict[str, Any] = {"model": "gpt-5-mini", "messages": HISTORY, "max_tokens": 77}
    if stream:
        arguments |= {"stream": True, "stream_options": {"include_usage": True}}
    async with client:
        answer: Any = await client.chat.completions.create(**arguments)
        if stream:
            assert [chunk async for chunk in answer]
    ours, theirs = vendor.seen
    assert ours.body == theirs.body
    assert ours.line == theirs.line == "POST /v1/chat/completions HTTP/1.1"
    assert ours.headers == theirs.headers
    assert ours.headers["authorization"] == f"Bearer {KEY}"


async def test_without_a_key_a_placeholder_is_sent(vendor: Vendor) -> None:
    vendor.play = says(FULL)
    model = OpenAIModel(tokens=ByteTokens(), base_url=vendor.url)
    assert (await ask(model)).text == "Good day."
    await model.close()
    assert vendor.seen[0].headers["authorization"] == "Bearer no-key"


@pytest.mark.parametrize("stream", [True, False])
async def test_one_connection_serves_one_call_after_another(
    vendor: Vendor, model: OpenAIModel, stream: bool
) -> None:
    vendor.play = says(FULL if stream else plain(completion("Good day.")))
    for _ in range(3):
        await ask(model, request(stream=stream))
    assert vendor.connections == 1


async def test_an_end_of_the_body_that_comes_late_keeps_the_connection(
    vendor: Vendor, model: OpenAIModel
) -> None:
    async def play(exchange: Exchange) -> bool:
        await exchange.write(FULL.removesuffix(STREAM_END))
        for _ in range(50):  # turns of the one loop: the client has read all that there is
            await asyncio.sleep(0)
        await exchange.write(STREAM_END)
        return True

    vendor.play = play
    for _ in range(3):
        assert (await ask(model)).text == "Good day."
    assert vendor.connections == 1


async def test_closing_the_answer_early_closes_the_connection(vendor: Vendor, model: OpenAIModel) -> None:
    vendor.play = stalls_after(STREAM_HEAD + framed(delta("Good ")))
    answer = model.answer(request())
    await anext(answer)
    await answer.aclose()
    await asyncio.wait_for(vendor.hung_up.wait(), 5)


@pytest.mark.parametrize("beginning", [b"", STREAM_HEAD + framed(delta("Good "))])
async def test_cancelling_the_task_closes_the_connection(
    vendor: Vendor, model: OpenAIModel, beginning: bytes
) -> None:
    begun = asyncio.Event()

    async def play(exchange: Exchange) -> bool:
        await exchange.write(beginning)
        begun.set()
        await exchange.until_hung_up()
        return False

    vendor.play = play
    task = asyncio.create_task(ask(model))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(vendor.hung_up.wait(), 5)


def refusing(*fields: str, status: int = 400) -> Play:
    """A server that refuses requests with one of these fields, and names it."""

    async def play(exchange: Exchange) -> bool:
        named = next((field for field in fields if f'"{field}"'.encode() in exchange.seen.body), None)
        error = {"message": f"Unsupported parameter: '{named}'", "type": "invalid_request_error"}
        await exchange.write(plain({"error": error}, status) if named else FULL)
        return True

    return play


@pytest.mark.parametrize(
    ("fields", "refusals"),
    [
        (("stream_options",), 1),
        (("max_tokens",), 1),
        (("stream_options", "max_tokens"), 2),
    ],
)
async def test_a_refused_field_is_said_otherwise_and_remembered(
    vendor: Vendor, model: OpenAIModel, fields: tuple[str, ...], refusals: int
) -> None:
    for status in (400, 422):
        vendor.play = refusing(*fields, status=status)
        assert (await ask(model)).text == "Good day."
    assert len(vendor.seen) == refusals + 2
    assert not any(f'"{field}"'.encode() in vendor.seen[-1].body for field in fields)


async def test_a_field_refused_in_both_forms_is_refused_for_good(vendor: Vendor, model: OpenAIModel) -> None:
    vendor.play = refusing("max_tokens", "max_completion_tokens")
    outcome = await ask(model)
    assert isinstance(outcome.error, ModelRefused)
    assert len(vendor.seen) == 2
    assert b'"max_tokens"' in vendor.seen[0].body
    assert b'"max_completion_tokens"' in vendor.seen[1].body


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            400,
            {"error": {"message": "no", "code": "context_length_exceeded"}},
            ModelRefused,
            "context_length",
        ),
        (400, {"error": {"message": "maximum context length is 8192"}}, ModelRefused, "context_length"),
        (400, {"error": {"message": "no", "code": "content_filter"}}, ModelRefused, "content_filter"),
        (400, {"error": "model is required"}, ModelRefused, "refused"),
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, ModelRefused, "bad_key"),
        (402, {"error": {"message": "no credit"}}, ModelRefused, "quota"),
        (403, {"error": {"message": "not here"}}, ModelRefused, "forbidden"),
        (404, {"detail": "Not Found"}, ModelRefused, "unknown_model"),
        (408, b"", ModelUnavailable, "timeout"),
        (409, {"error": None}, ModelUnavailable, "overloaded"),
        (413, b"too large", ModelRefused, "context_length"),
        (422, {"detail": [{"loc": ["body", "model"]}]}, ModelRefused, "refused"),
        (429, {"error": {"message": "slow down"}}, ModelUnavailable, "rate_limit"),
        (429, {"error": {"code": "insufficient_quota"}}, ModelUnavailable, "quota"),
        (500, b"<html><body>" + b"very wrong " * 500, ModelUnavailable, "overloaded"),
        (503, {"error": {"message": "busy"}}, ModelUnavailable, "overloaded"),
        (504, b"<html>", ModelUnavailable, "timeout"),
    ],
)
async def test_each_status_has_its_error(
    vendor: Vendor, model: OpenAIModel, status: int, body: object, kind: type[Exception], code: str
) -> None:
    vendor.play = says(plain(body, status))
    for stream in (True, False):
        error = (await ask(model, request(stream=stream))).error
        assert type(error) is kind
        assert error is not None
        assert error.code == code
        assert KEY not in str(error)
        assert len(str(error)) < 300
        assert "very wrong" not in error.public
        assert error.__cause__ is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("retry-after: 7", 7.0),
        ("retry-after-ms: 250", 0.25),
        ("retry-after: Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("retry-after: soon", None),
        ("x-nothing: 1", None),
    ],
)
async def test_a_429_says_when_to_come_again(
    vendor: Vendor, model: OpenAIModel, header: str, seconds: float | None
) -> None:
    vendor.play = says(plain({"error": {"message": "slow down"}}, 429, f"{header}\r\n"))
    error = (await ask(model)).error
    assert error is not None
    assert error.retry_after == seconds
    assert len(vendor.seen) == 1


async def test_nobody_there_is_no_connection() -> None:
    model = OpenAIModel(tokens=ByteTokens(), base_url="http://127.0.0.1:1/v1")
    error = (await ask(model)).error
    await model.close()
    assert isinstance(error, ModelUnavailable)
    assert error.code == "connection"


async def test_text_that_no_json_can_hold_is_refused(model: OpenAIModel) -> None:
    error = (await ask(model, request(text="\ud800"))).error
    assert isinstance(error, ModelRefused)
    assert error.code == "invalid_text"


def test_a_key_that_no_header_can_hold_is_refused_without_telling_it() -> None:
    for key in ("sk-\nsecret", "sk-sécret"):
        with pytest.raises(ValueError) as caught:
            OpenAIModel(tokens=ByteTokens(), api_key=key)
        assert "cret" not in str(caught.value)


async def test_many_calls_at_once_stay_apart(vendor: Vendor, model_with: Callable[..., OpenAIModel]) -> None:
    async def play(exchange: Exchange) -> bool:
        said = exchange.seen.body.split(b'"content":"')[1].split(b'"')[0].decode()
        await exchange.write(streamed(*(delta(letter) for letter in said), delta(None, "stop"), DONE))
        return True

    vendor.play = play
    model = model_with()
    texts = [f"text number {number}" for number in range(30)]
    outcomes = await asyncio.gather(*(ask(model, request(text=text)) for text in texts))
    assert [outcome.text for outcome in outcomes] == texts
