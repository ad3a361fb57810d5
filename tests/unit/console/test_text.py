"""Nothing a model writes reaches the terminal as a command, and long texts are cut without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.console.text import pieces, printable, typed

FENCED = "intro\n```python\n" + "".join(f"line {n}\n" for n in range(100)) + "```\nend"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("\x1b[2J", "␛[2J"),
        ("one\r\ntwo\rthree", "one\ntwothree"),
        ("\x9b31m \x85", "�31m �"),
        ("back\x08\x7f", "back␈␡"),
        ("half \ud800", "half �"),
        ("Grüße 你好 👋🏽", "Grüße 你好 👋🏽"),
    ],
)
def test_controls_are_shown_and_words_are_kept(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(), st.text())
def test_the_start_of_a_text_gives_the_start_of_what_is_shown(start: str, rest: str) -> None:
    assert printable(start + rest).startswith(printable(start))


@given(st.text())
def test_nothing_shown_is_a_control(text: str) -> None:
    assert not [
        sign for sign in printable(text) if sign not in "\n\t" and (sign < " " or "\x7f" <= sign < "\xa0")
    ]


def test_what_is_typed_can_be_stored() -> None:
    assert typed("a\0b\udcffc") == "a�b�c"


def test_a_short_text_is_one_piece() -> None:
    assert pieces("", 200) == ("",)
    assert pieces("hello", 200) == ("hello",)


@given(st.text(alphabet="ab \n", max_size=2_000))
def test_pieces_are_bounded_and_lose_nothing(text: str) -> None:
    cut = pieces(text, 200)
    assert "".join(cut) == text
    assert all(len(piece) <= 200 for piece in cut)


@given(st.lists(st.sampled_from(["```\n", "~~~~\n", "```py\n", "words\n", "x" * 90 + "\n"]), max_size=60))
def test_pieces_with_fences_are_bounded(lines: list[str]) -> None:
    assert all(len(piece) <= 200 for piece in pieces("".join(lines), 200))


def test_a_fence_is_closed_at_a_cut_and_opened_again() -> None:
    cut = pieces(FENCED, 200)
    assert len(cut) > 4
    assert all(piece.count("```") % 2 == 0 for piece in cut)
    assert cut[1].startswith("```python\nline ")
    assert [line for piece in cut for line in piece.split("\n") if line.startswith("line")] == [
        f"line {n}" for n in range(100)
    ]
