"""Usage as vendors report it, and when an answer counts as ended."""

import orjson
import pytest

from core.llm.reply import Reply, usage_of
from core.messages import Usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (None, None),
        ("many", None),
        ({}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": None, "completion_tokens": 7}, Usage(completion=7)),
        ({"prompt_tokens": -4, "completion_tokens": 7}, Usage(completion=7)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 64},
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Usage(prompt=100, completion=50, cached=64, reasoning=30),
        ),
        (
            {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 80},
            Usage(prompt=100, completion=5, cached=80),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 99}},
            Usage(prompt=10, completion=5, cached=10),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 45,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Usage(prompt=10, completion=35, reasoning=30),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": 0},
            Usage(prompt=10, completion=5),
        ),
    ],
)
def test_usage(raw: object, usage: Usage | None) -> None:
    assert usage_of(raw) == usage


def test_text_alone_is_not_an_end() -> None:
    reply = Reply()
    assert reply.take(orjson.dumps({"choices": [{"delta": {"content": "a"}}]})) == "a"
    assert reply.begun
    assert not reply.ended
    reply.take(b"[DONE]")
    assert reply.ended


def test_a_refusal_in_words_is_the_answer() -> None:
    reply = Reply()
    said = reply.take(orjson.dumps({"choices": [{"delta": {"content": None, "refusal": "I cannot."}}]}))
    assert said == "I cannot."
