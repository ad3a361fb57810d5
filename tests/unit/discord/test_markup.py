"""CommonMark as Discord's dialect: what passes, what is written otherwise, and that it always fits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.discord.markup import FENCE, MAX_TEXT, measure, render, split, utf16_length
from tests.unit.telegram.test_markup import messy


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("**bold** and *thin* and ***both***", "**bold** and *thin* and ***both***"),
        ("__bold__, _thin_", "**bold**, *thin*"),
        ("~~gone~~ `a<b` ``a`b``", "~~gone~~ `a<b` ``a`b``"),
        ("# one\n\n## two\n\n### three\n\n#### four", "# one\n\n## two\n\n### three\n\n**four**"),
        ("Title\n=====", "# Title"),
        ("```py\nx = '<&>'\n```", "```py\nx = '<&>'\n```"),
        ("    indented", "```\nindented\n```"),
        ("> said\n> so", "> said\n> so"),
        ("> > deep", "> deep"),
        ("* a\n* b\n  1. c\n  2. d", "- a\n- b\n  1. c\n  2. d"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("- a\n  ```\n  code\n  ```", "- a\n```\ncode\n```"),
        ("a\n\n---\n\nb", "a\n\n──────────\n\nb"),
        ("a\nb", "a\nb"),
        ("[docs](https://a.example/x)", "[docs](https://a.example/x)"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("![a cat](https://a.example/c.png)", "[a cat](https://a.example/c.png)"),
        ("[a](https://a.example/x_(y))", "[a](<https://a.example/x_(y)>)"),
        ("[write](mailto:a@b.example)", "write (a@b.example)"),
        ("[run](javascript:x)", "[run](javascript:x)"),
        ("| a | b |\n|---|--:|\n| x | 10 |\n| [l](http://c.d) | 2 |", None),
        ("@everyone, @here <@1> <#2>", "@everyone, @here <@1> <#2>"),
        (r"\*literal\* 1\. \# snake_case 2 * 3", r"\*literal\* 1\. \# snake_case 2 * 3"),
        ("a || b || c", r"a \|\| b \|\| c"),
        ("module__dunder__x", r"module\_\_dunder\_\_x"),
        ("-# small", r"\-# small"),
        ("AT&amp;T", "AT&T"),
        ("", ""),
    ],
)
def test_what_is_written(text: str, written: str | None) -> None:
    if written is None:
        written = "```\na                b\n──────────────  ──\nx               10\nl (http://c.d)   2\n```"
    assert render(text) == written


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[bank.example](https://evil.example/x)", "(evil.example)"),
        ("[www.bank.example/in](https://bank.example.evil.example)", "(bank.example.evil.example)"),
        ("[**bank.example**](https://bank.example@evil.example/)", "(evil.example)"),
    ],
)
def test_a_link_cannot_lie(text: str, told: str) -> None:
    assert render(text).endswith(told)


def test_an_honest_link_is_left_alone() -> None:
    assert (
        render("[www.bank.example](https://bank.example/in)") == "[www.bank.example](https://bank.example/in)"
    )


def test_a_fence_inside_a_fence_does_not_end_it() -> None:
    written = render("````md\n```py\nx\n```\n````")
    assert written.count(FENCE) == 2
    assert written.startswith("```md\n")


def test_every_beginning_of_a_stream_can_be_shown() -> None:
    text = "# T\n\nSome **bold `co` [l](https://a.example)** and\n\n- a\n  - b\n\n"
    text += "```py\nx = 1\n```\n\n| a |\n|---|\n| 1 |\n"
    for end in range(1, len(text) + 1):
        written = render(text[:end])
        assert written.strip()
        assert written.count(FENCE) % 2 == 0 or text[:end].endswith(FENCE)


def test_code_is_cut_between_lines_and_whole() -> None:
    lines = [f"value_{number} = {number}" for number in range(400)]
    pieces = split("```py\n" + "\n".join(lines) + "\n```")
    shown = [render(piece) for piece in pieces]
    assert all(text.startswith("```py\n") and text.endswith("\n```") for text in shown)
    assert [line for text in shown for line in text.split("\n")[1:-1]] == lines


@settings(max_examples=150, deadline=None)
@given(messy)
def test_any_text_is_written_and_any_piece_fits(text: str) -> None:
    assert bool(render(text).strip()) == bool(text.strip())
    for piece in split(text * 8):
        assert measure(piece) <= MAX_TEXT or len(piece) == 1


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_lengths_are_counted_as_the_widest_count_does(text: str) -> None:
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert utf16_length(whole) >= len(whole)
