"""Streams as servers really send them: whole, odd, broken anywhere, silent."""

from collections.abc import Callable

import orjson
import pytest

from core.errors import ModelCut, ModelRefused, ModelUnavailable
from core.llm.openai_model import OpenAIModel
from core.llm.tokens import ByteTokens
from core.messages import Usage
from tests.integration.llm.asking import ask, request
from tests.integration.llm.vendor import (
    DONE,
    STREAM_HEAD,
    USAGE,
    Vendor,
    breaks_after,
    completion,
    delta,
    event,
    framed,
    plain,
    says,
    stalls_after,
    streamed,
    usage,
)

FULL = streamed(delta("Good "), delta("day."), delta(None, "stop"), usage(USAGE), DONE)


async def test_a_stream_is_given_piece_by_piece_with_its_usage(vendor: Vendor, model: OpenAIModel) -> None:
    vendor.play = says(FULL)
    outcome = await ask(model)
    assert outcome.texts == ["Good ", "day."]
    assert outcome.finish is not None
    assert outcome.finish.usage == Usage(prompt=30, completion=5)
    assert (outcome.finish.reason, outcome.finish.model) == ("stop", "gpt-5-mini-2025-08-07")
    assert outcome.finish.request_id == "chatcmpl-1"


async def test_the_request_id_of_the_header_is_preferred(vendor: Vendor, model: OpenAIModel) -> None:
    vendor.play = says(plain(completion("hi"), headers="x-request-id: req-7\r\n"))
    outcome = await ask(model, request(stream=False))
    assert outcome.finish is not None
    assert outcome.finish.request_id == "req-7"


LAST = delta("Good day.", "stop")
TAIL = (usage(USAGE), DONE)
EARLY = dict(USAGE, completion_tokens=1)
WHOLE = orjson.dumps(completion("Good day.", usage=USAGE))
PARTS = [{"type": "thinking"}, {"type": "text", "text": "Good day."}]
DIALECTS: dict[str, tuple[bytes, ...]] = {
    "usage in the last chunk": (delta("Good day.", "stop", usage=USAGE), DONE),
    "usage in every chunk": (delta("Good ", usage=EARLY), delta("day.", "stop"), *TAIL),
    "null usage at first": (delta("Good day.", "stop", usage=None), *TAIL),
    "no closing mark": (delta("Good "), delta("day.", "stop"), usage(USAGE)),
    "no finish reason": (delta("Good "), delta("day."), *TAIL),
    "comments": (b": hello\n\n", delta("Good "), b": ping\n\n", delta("day.", "stop"), *TAIL),
    "CRLF": (LAST.replace(b"\n", b"\r\n"), *TAIL),
    "other fields": (b"event: message\nid: 4\nretry: 10\n" + LAST, *TAIL),
    "byte order mark": (b"\xef\xbb\xbf" + LAST, *TAIL),
    "no last blank line": (LAST, usage(USAGE), b"data: [DONE]"),
    "no space after the colon": (LAST.replace(b"data: ", b"data:"), *TAIL),
    "reasoning": (event({"choices": [{"delta": {"reasoning_content": "hm", "content": None}}]}), LAST, *TAIL),
    "tool calls": (event({"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}), LAST, *TAIL),
    "a null delta": (event({"choices": [{"delta": None}]}), LAST, *TAIL),
    "no choices": (event({"choices": None}), event({"choices": []}), event({}), LAST, *TAIL),
    "content in parts": (delta(PARTS, "stop"), *TAIL),
    "a plain completion": (WHOLE,),
    "a plain completion after blanks": (b"\n  ", WHOLE),
}


@pytest.mark.parametrize("body", DIALECTS.values(), ids=DIALECTS.keys())
async def test_the_dialects_of_servers_all_read_the_same(
    vendor: Vendor, model: OpenAIModel, body: tuple[bytes, ...]
) -> None:
    vendor.play = says(streamed(*body))
    outcome = await ask(model)
    assert outcome.error is None
    assert outcome.text == "Good day."
    assert outcome.finish is not None
    assert outcome.finish.usage == Usage(prompt=30, completion=5)


async def test_a_stream_that_was_not_asked_for_is_read_too(vendor: Vendor, model: OpenAIModel) -> None:
    vendor.play = says(FULL)
    assert (await ask(model, request(stream=False))).text == "Good day."


async def test_without_usage_it_is_estimated_and_says_so(vendor: Vendor, model: OpenAIModel) -> None:
    vendor.play = says(streamed(delta("Good day.", "stop"), DONE))
    outcome = await ask(model, request(text="12345678"))
    assert outcome.finish is not None
    assert outcome.finish.usage == Usage(prompt=2 + 4, completion=3, estimated=True)


async def test_a_cut_at_any_byte_never_passes_for_a_whole_answer(vendor: Vendor, model: OpenAIModel) -> None:
    told = FULL.index(b'"finish_reason":"stop"')
    for length in range(len(FULL)):
        vendor.play = breaks_after(FULL[:length])
        outcome = await ask(model)
        assert "Good day.".startswith(outcome.text)
        if outcome.finish:
            assert length > told
            assert outcome.text == "Good day."
        elif outcome.text:
            assert isinstance(outcome.error, ModelCut), length
        else:
            assert isinstance(outcome.error, ModelUnavailable), length


async def test_silence_before_the_first_event_is_a_timeout(
    vendor: Vendor, model_with: Callable[..., OpenAIModel]
) -> None:
    for beginning in (b"", STREAM_HEAD, STREAM_HEAD + framed(b": still here\n\n")):
        vendor.play = stalls_after(beginning)
        outcome = await ask(model_with(first=0.05))
        assert isinstance(outcome.error, ModelUnavailable)
        assert outcome.error.code == "timeout"


async def test_silence_between_events_cuts_the_answer(
    vendor: Vendor, model_with: Callable[..., OpenAIModel]
) -> None:
    vendor.play = stalls_after(STREAM_HEAD + framed(delta("Good ")))
    outcome = await ask(model_with(between=0.05))
    assert outcome.text == "Good "
    assert isinstance(outcome.error, ModelCut)
    assert outcome.error.code == "timeout"


async def test_silence_after_the_finish_reason_costs_only_the_usage(
    vendor: Vendor, model_with: Callable[..., OpenAIModel]
) -> None:
    vendor.play = stalls_after(STREAM_HEAD + framed(delta("Good day.", "stop")))
    outcome = await ask(model_with(last=0.05))
    assert outcome.text == "Good day."
    assert outcome.finish is not None
    assert outcome.finish.usage.estimated


async def test_silence_inside_a_plain_answer_is_a_timeout(
    vendor: Vendor, model_with: Callable[..., OpenAIModel]
) -> None:
    vendor.play = stalls_after(plain(completion("Good day."))[:-5])
    outcome = await ask(model_with(whole=0.05), request(stream=False))
    assert isinstance(outcome.error, ModelUnavailable)
    assert outcome.error.code == "timeout"


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ({"message": "slow down", "type": "rate_limit_error"}, ModelUnavailable, "rate_limit"),
        ({"message": "oops", "type": "server_error"}, ModelUnavailable, "overloaded"),
        ({"message": "provider down", "code": 502}, ModelUnavailable, "overloaded"),
        ({"message": "too much", "code": "context_length_exceeded"}, ModelRefused, "context_length"),
        ({"message": "no", "type": "invalid_request_error"}, ModelRefused, "refused"),
        ("it broke", ModelUnavailable, "overloaded"),
    ],
)
async def test_an_error_inside_the_stream(
    vendor: Vendor, model: OpenAIModel, error: object, kind: type[Exception], code: str
) -> None:
    vendor.play = says(streamed(event({"error": error}), DONE))
    outcome = await ask(model)
    assert type(outcome.error) is kind
    assert outcome.error is not None
    assert outcome.error.code == code
    vendor.play = says(streamed(delta("Good "), event({"error": error}), DONE))
    outcome = await ask(model)
    assert outcome.text == "Good "
    assert isinstance(outcome.error, ModelCut)
    assert outcome.error.code == code


@pytest.mark.parametrize(
    ("finish", "kind", "code"),
    [
        ("stop", ModelUnavailable, "empty"),
        ("length", ModelRefused, "empty"),
        ("content_filter", ModelRefused, "content_filter"),
    ],
)
async def test_an_empty_answer_is_an_error(
    vendor: Vendor, model: OpenAIModel, finish: str, kind: type[Exception], code: str
) -> None:
    vendor.play = says(streamed(delta("  "), delta(None, finish), usage(USAGE), DONE))
    outcome = await ask(model)
    assert type(outcome.error) is kind
    assert outcome.error is not None
    assert outcome.error.code == code


async def test_nonsense_is_an_error_and_not_an_answer(vendor: Vendor, model: OpenAIModel) -> None:
    for body in (b"<html>hello</html>", b"data: {broken\n\n", b"data: 7\n\n", b"[]", b"", b" \n "):
        vendor.play = says(plain(body))
        outcome = await ask(model)
        assert isinstance(outcome.error, ModelUnavailable), body


async def test_a_body_without_end_is_given_up(vendor: Vendor) -> None:
    model = OpenAIModel(tokens=ByteTokens(), base_url=vendor.url, most_bytes=1000)
    vendor.play = stalls_after(STREAM_HEAD + framed(b"data: " + b"x" * 2000))
    outcome = await ask(model)
    await model.close()
    assert isinstance(outcome.error, ModelUnavailable)
    assert outcome.error.code == "bad_reply"


async def test_a_connection_left_open_after_the_closing_mark_holds_nothing_up(
    vendor: Vendor, model: OpenAIModel
) -> None:
    vendor.play = stalls_after(STREAM_HEAD + framed(LAST) + framed(usage(USAGE)) + framed(DONE))
    outcome = await ask(model)
    assert outcome.text == "Good day."
    assert outcome.finish is not None
    assert outcome.finish.usage == Usage(prompt=30, completion=5)
