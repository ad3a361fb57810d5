"""The stand-in says what it is, repeats what was said, and does small sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.llm.scripted_model import ScriptedModel, compose
from core.llm.tokens import ByteTokens
from core.messages import Delta, Finish
from core.ports import ModelRequest


def spoken(*texts: str) -> list[dict[str, str]]:
    """User and assistant by turns."""
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def test_the_first_answer_says_that_it_is_no_language_model() -> None:
    assert "not a language model" in compose(spoken("hello"))
    assert "not a language model" not in compose(spoken("hello", "Hi.", "hello again"))


def test_what_was_said_is_quoted_and_counted() -> None:
    answer = compose(spoken("one", "Hi.", "two words\nand three more"))
    assert answer == (
        "You said:\n\n> two words\n> and three more\n\nThat is 5 words, and I can see 2 messages of yours."
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("what is 2 + 3?", "2 + 3 = 5"),
        ("12*12", "12 * 12 = 144"),
        ("7 - 9", "7 - 9 = -2"),
        ("1.5 + 2.5", "1.5 + 2.5 = 4"),
        ("1000 * 100", "1000 * 100 = 100000"),
        ("10 / 4", "10 / 4 = 2.5"),
        ("5 / 0", "5 / 0 has no answer."),
    ],
)
def test_small_sums(text: str, answer: str) -> None:
    assert compose(spoken("hi", "Hi.", text)) == answer


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22",
        "call 555-1234-567",
        "v1.2.3",
        "a-b",
        "3 +",
        "2 + 3 * 4",
        "10/11/2026",
        "apples2 + 2x",
        "9" * 40 + "+1",
    ],
)
def test_what_only_looks_like_a_sum_is_quoted(text: str) -> None:
    assert f"> {text}" in compose(spoken("hi", "Hi.", text))


async def outcome(request: ModelRequest) -> tuple[list[str], Finish]:
    *deltas, finish = [piece async for piece in ScriptedModel(tokens=ByteTokens()).answer(request)]
    assert isinstance(finish, Finish)
    return [delta.text for delta in deltas if isinstance(delta, Delta)], finish


async def test_it_streams_word_by_word_with_usage() -> None:
    messages = tuple(spoken("hi", "Hi.", "one two"))
    texts, finish = await outcome(ModelRequest(model="scripted", messages=messages, max_tokens=100))
    assert texts[:2] == ["You ", "said:\n\n"]
    assert "".join(texts) == compose(messages)
    assert finish.usage.completion == ByteTokens().count("".join(texts))
    assert finish.usage.prompt == 1 + 1 + 2
    assert not finish.usage.estimated


async def test_the_limit_of_tokens_is_kept() -> None:
    messages = tuple(spoken("long " * 100))
    texts, finish = await outcome(ModelRequest(model="scripted", messages=messages, max_tokens=10))
    assert finish.reason == "length"
    assert 0 < ByteTokens().count("".join(texts)) <= 10


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_conversation_has_the_same_answer_twice(texts: list[str]) -> None:
    answer = compose(spoken(*texts))
    assert answer.strip()
    assert answer == compose(spoken(*texts))
