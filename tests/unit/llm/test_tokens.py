"""The count is on the safe side of characters and blind to script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.llm.tokens import ByteTokens, estimate
from core.messages import Usage


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("привет", 3), ("日本", 2)]
)
def test_four_bytes_begun_are_a_token(text: str, tokens: int) -> None:
    assert ByteTokens().count(text) == tokens


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_counts_and_joining_never_costs_more(left: str, right: str) -> None:
    count = ByteTokens().count
    assert max(count(left), count(right)) <= count(left + right) <= count(left) + count(right)


def test_an_estimate_says_that_it_is_one() -> None:
    messages = [{"role": "user", "content": "abcd"}, {"role": "user", "content": ""}]
    assert estimate(ByteTokens(), messages, "abcde") == Usage(prompt=9, completion=2, estimated=True)
