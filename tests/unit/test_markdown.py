"""The cutter, for a channel that shows CommonMark as it stands and counts code points."""

import html

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.markdown import blocks, cut, most

LIMIT = 60


def pieces(text: str) -> tuple[str, ...]:
    return cut(text, LIMIT, len)


def test_what_fits_stays_as_it_is() -> None:
    assert pieces("a *b*\nc  \n") == ("a *b*\nc  \n",)
    assert pieces("") == ("",)


def test_blocks_joined_are_the_source() -> None:
    source = "\n\n# a\nb\n\n\n- c\n\n  d\n```\ne\n\n```\n    f\n\n> g\n"
    assert "".join(block.source for block in blocks(source)) == source


def test_cut_falls_between_blocks() -> None:
    assert pieces("x" * 40 + "\n\n" + "y" * 40) == ("x" * 40, "y" * 40)


def test_fence_is_reopened_with_its_language() -> None:
    lines = [f"line number {number}" for number in range(8)]
    found = pieces("````py title\n" + "\n".join(lines) + "\n````")
    assert all(piece.startswith("````py title\n") and piece.endswith("\n````") for piece in found)
    assert [line for piece in found for line in piece.split("\n")[1:-1]] == lines


def test_sentences_before_words() -> None:
    first, second = pieces("A sentence of some length here. Another one, that is too long for it.")
    assert (first, second) == (
        "A sentence of some length here. ",
        "Another one, that is too long for it.",
    )


@pytest.mark.parametrize(
    "signs", ["**bold words that belong together**", "[a link of words](https://a.example)"]
)
def test_markup_is_moved_whole(signs: str) -> None:
    text = "Some words that stand in front of it " + signs + " and after"

    def measure(source: str) -> int:
        return len(source.replace(signs, "x" * 20))  # a reader sees less of it when it is whole

    assert any(signs in piece for piece in cut(text, LIMIT, measure))


@settings(deadline=None)
@given(st.text(alphabet="ab *_`>#-[]()|\n", max_size=600))
def test_every_piece_fits_and_no_letter_is_lost(text: str) -> None:
    found = pieces(text)
    assert all(len(piece) <= LIMIT for piece in found)
    assert [c for c in "".join(found) if c in "ab"] == [c for c in text if c in "ab"]


@given(st.lists(st.integers(1, 50), max_size=80), st.integers(1, 400))
def test_most_is_close_below_the_limit(sizes: list[int], limit: int) -> None:
    count = most(len(sizes), lambda n: sum(sizes[:n]), limit)
    assert sum(sizes[:count]) <= limit
    if count < len(sizes):
        assert sum(sizes[: count + 1]) > limit or sum(sizes[:count]) > 0.95 * limit


UNITS = {
    "prose": ("Some words with **more weight** and a [link](https://a.example). " * 6, "\n\n"),
    "lines": ("a short line & no more", "\n"),
    "paragraphs": ("a short one", "\n\n"),
    "one paragraph": ("A sentence with `code & more` in it, and *more* of it.", " "),
    "no break": ("漢字かな", ""),
    "list": ("- an item <of> **some** words", "\n"),
    "deep list": ("- an item\n  - another\n    and more & more", "\n"),
    "quote": ("> said **so** & so", "\n"),
    "code": ("    value = compute(<this>)  # a step", "\n"),
}
STARTS = {"fence": "```py\n", "table": "| a | b |\n|---|---|\n"}
UNITS |= {"fence": ("value = f(<x>)", "\n"), "table": ("| some & more | of it |", "\n")}


@pytest.mark.parametrize("size", [12_000, 48_000])
@pytest.mark.parametrize("kind", UNITS)
def test_work_grows_with_the_text_and_no_faster(kind: str, size: int) -> None:
    unit, between = UNITS[kind]
    text = STARTS.get(kind, "") + between.join([unit] * (size // len(unit + between)))
    measured: list[int] = []

    def measure(source: str) -> int:
        measured.append(len(source))
        return len(html.escape(source))

    found = cut(text, 4096, measure)
    assert all(len(html.escape(piece)) <= 4096 for piece in found)
    assert sum(measured) <= 2.5 * len(text)
    assert max(measured) <= 1.5 * 4096
    assert len(measured) <= 3 * len(found)
