"""CommonMark as Telegram shows it, read back by the simulator's parser, which was written apart."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.simulators.telegram.entities import Formatted
from bots.simulators.telegram.html import parse_html
from bots.telegram.markup import MAX_TEXT, measure, render, seen, split, utf16_length

SIGNS = ["**", "*", "_", "~~", "`", "```", "```py\n", "[", "](", ")", "![", "https://a.example", "> ", "- "]
SIGNS += ["1. ", "# ", "| a | b |\n|---|---|\n", "|", "\n", "\n\n", "    ", "---\n", "\\", "word ", "漢字"]
SIGNS += ["<b>", "</b>", "&amp;", "&", "<", "\u2028", "\x00", "\ud83d", "😀"]
messy = st.lists(st.one_of(st.sampled_from(SIGNS), st.text(max_size=8)), max_size=40).map("".join)


def shown(text: str) -> Formatted:
    return parse_html(render(text))


def marks(text: str) -> list[tuple[str, str]]:
    formatted = shown(text)
    units = formatted.text.encode("utf-16-le")
    return [
        (entity.type, units[2 * entity.offset : 2 * entity.end].decode("utf-16-le"))
        for entity in formatted.entities
    ]


@pytest.mark.parametrize(
    ("text", "visible", "entities"),
    [
        ("**bold** and *thin*", "bold and thin", [("bold", "bold"), ("italic", "thin")]),
        ("~~gone~~ `a<b`", "gone a<b", [("strikethrough", "gone"), ("code", "a<b")]),
        ("# Head **line**", "Head line", [("bold", "Head line")]),
        ("```py\nx = '<&>'\n```", "x = '<&>'", [("pre", "x = '<&>'")]),
        ("    indented", "indented", [("pre", "indented")]),
        ("> said\n> so", "said\nso", [("blockquote", "said\nso")]),
        ("> > deep", "deep", [("blockquote", "deep")]),
        ("a\nb", "a\nb", []),
        ("- a\n- b\n  1. c\n  2. d", "• a\n• b\n   1. c\n   2. d", []),
        ("3. a\n4. b", "3. a\n4. b", []),
        ("a\n\n---\n\nb", "a\n\n──────────\n\nb", []),
        ("[docs](https://a.example/x)", "docs", [("text_link", "docs")]),
        ("[write](mailto:a@b.example)", "write (a@b.example)", []),
        ("![a cat](https://a.example/c.png)", "a cat", [("text_link", "a cat")]),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2", []),
        ("", "", []),
    ],
)
def test_what_the_reader_sees(text: str, visible: str, entities: list[tuple[str, str]]) -> None:
    assert shown(text).text == visible
    assert marks(text) == entities


def test_code_keeps_its_language() -> None:
    assert [entity.language for entity in shown("```c++ numbered\nint x;\n```").entities] == ["c++"]
    assert 'class="language-py' not in render('```"><a href="https://evil.example">\nx\n```')


def test_table_is_aligned_in_fixed_width() -> None:
    text = "| name | n |\n|:--|--:|\n| 漢字 | 1 |\n| **x** [l](https://a.example) | 22 |"
    lines = [
        "name" + " " * 19 + "   n",
        "─" * 23 + "  ──",
        "漢字" + " " * 19 + "   1",
        "x l (https://a.example)  22",
    ]
    assert marks(text) == [("pre", "\n".join(lines))]


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("[https://bank.example](https://evil.example)", "https://bank.example (evil.example)"),
        ("[bank.example](https://bank.example@evil.example/x)", "bank.example (evil.example)"),
        ("[www.bank.example](https://bank.example/login)", "www.bank.example"),
        ("[me@bank.example](mailto:me@evil.example)", "me@bank.example (me@evil.example)"),
        ("<https://bank.example/a>", "https://bank.example/a"),
        ("[notes](docs/notes.md)", "notes (docs/notes.md)"),
        ("[file](ftp://bank.example/x)", "file (ftp://bank.example/x)"),
        ("[](https://bank.example)", "https://bank.example"),
        ("[![logo](https://a.example/l.png)](https://b.example)", "logo (https://b.example)"),
    ],
)
def test_link_cannot_lie(text: str, visible: str) -> None:
    assert shown(text).text == visible


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "data:text/html,x", "tg-evil:x", "ftp://a.example", "x.md"]
)
def test_only_known_schemes_become_links(target: str) -> None:
    assert "<a " not in render(f"[click]({target})")


@pytest.mark.parametrize(
    "text",
    ["<b>not ours</b>", "<a href='https://evil.example'>x</a>", "`</code><b>x`", "```\n</pre><b>x\n```"],
)
def test_text_brings_in_no_tags(text: str) -> None:
    assert {kind for kind, _ in marks(text)} <= {"code", "pre"}
    assert "<b>" not in render(text)
    assert "<a " not in render(text)


def test_link_target_cannot_leave_its_attribute() -> None:
    drawn = render('[x](https://a.example/"><b>y</b>)')
    assert "<b>" not in drawn
    parse_html(drawn)


@settings(deadline=None)
@given(messy)
def test_any_text_renders_as_html_that_telegram_takes(text: str) -> None:
    drawn = render(text)
    assert parse_html(drawn).text.strip() == seen(drawn).strip()
    drawn.encode()


ANSWER = (
    "# Plan\n\nSome **bold *both*** and `code` with [a link](https://a.example).\n\n- one\n- two\n  - a\n\n"
    "```python\nprint('<&>')\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n> quoted ~~text~~\n\nDone 😀."
)


@pytest.mark.parametrize("end", range(1, len(ANSWER)))
def test_every_beginning_of_a_stream_renders(end: int) -> None:
    drawn = render(ANSWER[:end])
    assert parse_html(drawn).text.strip()


def letters(text: str) -> str:
    return re.sub(r"\s+", "", text)


def whole(pieces: tuple[str, ...]) -> str:
    return letters("".join(shown(piece).text for piece in pieces))


def check_fits(pieces: tuple[str, ...]) -> None:
    assert pieces
    for piece in pieces:
        assert measure(piece) <= MAX_TEXT
        assert utf16_length(parse_html(render(piece)).text) <= MAX_TEXT


def test_short_text_is_one_piece_as_it_is() -> None:
    assert split("hello *you*\n") == ("hello *you*\n",)
    assert split("") == ("",)


def test_long_code_comes_whole_and_in_order() -> None:
    lines = [
        f"    value_{number} = compute_the_next({number})  # this is step number {number}"
        for number in range(170)
    ]
    text = "Here it is:\n\n```python\n" + "\n".join(lines) + "\n```\n\nThat was **all**."
    pieces = split(text)
    check_fits(pieces)
    found = [line for piece in pieces for line in shown(piece).text.split("\n") if "value_" in line]
    assert found == lines
    languages = [
        entity.language for piece in pieces for entity in shown(piece).entities if entity.type == "pre"
    ]
    assert languages == ["python"] * len(languages)
    assert len(languages) == len(pieces) == 3
    assert pieces[0].startswith("Here it is:\n\n```python\n    value_0 ")
    assert pieces[-1].endswith("That was **all**.")


def test_fence_that_never_closes_is_split_as_well() -> None:
    lines = [f"line {number}" for number in range(1500)]
    pieces = split("~~~~text\n" + "\n".join(lines))
    check_fits(pieces)
    assert "\n".join(shown(piece).text for piece in pieces).split("\n") == lines


def test_table_repeats_its_header() -> None:
    rows = [f"| row {number} | {'x' * (number % 40)} |" for number in range(300)]
    pieces = split("| name | bar |\n|---|---|\n" + "\n".join(rows))
    check_fits(pieces)
    texts = [shown(piece).text.split("\n") for piece in pieces]
    assert all(lines[0].split() == ["name", "bar"] for lines in texts)
    assert [line.split("  ")[0] for lines in texts for line in lines[2:]] == [f"row {n}" for n in range(300)]


def test_list_is_cut_between_items_and_keeps_its_numbers() -> None:
    items = [f"{number}. item {number} " + "word " * 30 for number in range(1, 101)]
    pieces = split("\n".join(items))
    check_fits(pieces)
    assert len(pieces) > 3
    numbers = re.findall(r"^(\d+)\. item", "\n".join(shown(piece).text for piece in pieces), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 101)]
    assert all(re.match(r"\d+\. item", piece) for piece in pieces)


def test_item_with_long_code_inside() -> None:
    code = "\n".join(f"   line_{number}" for number in range(1000))
    pieces = split(f"1. First\n2. Second:\n   ```sh\n{code}\n   ```\n3. Third")
    check_fits(pieces)
    assert re.findall(r"line_(\d+)", "".join(pieces)) == [str(number) for number in range(1000)]
    assert shown(pieces[0]).text.startswith("1. First\n2. Second:")
    assert shown(pieces[-1]).text.endswith("3. Third")
    assert all(shown(piece).text.count("line_") and "```" not in shown(piece).text for piece in pieces)


def test_quote_stays_a_quote_on_every_piece() -> None:
    pieces = split("> " + "\n> ".join(f"said {number} **so**" for number in range(1000)))
    check_fits(pieces)
    assert all(shown(piece).entities[0].type == "blockquote" for piece in pieces)
    assert re.findall(r"said (\d+) so", "\n".join(shown(p).text for p in pieces)) == [
        str(n) for n in range(1000)
    ]


@pytest.mark.parametrize(
    "unit",
    [
        "An **important and long** remark. ",
        "See [the long page](https://a.example/p). ",
        "Use `a b c d` so. ",
    ],
)
def test_no_cut_inside_emphasis_link_or_code(unit: str) -> None:
    text = unit * 400
    pieces = split(text)
    check_fits(pieces)
    assert whole(pieces) == letters(seen(render(text)))
    assert sum(len(shown(piece).entities) for piece in pieces) == 400


def test_no_cut_inside_a_character() -> None:
    family = "👩‍👩‍👧"
    pieces = split("é" * 3000 + family * 1500)
    check_fits(pieces)
    assert "".join(pieces) == "é" * 3000 + family * 1500
    assert all(piece[0] not in "\u200d\u0301" for piece in pieces)


def test_word_without_any_break_is_cut_all_the_same() -> None:
    pieces = split("x" * 10_000)
    assert [len(piece) for piece in pieces] == [4096, 4096, 1808]


def test_emphasis_longer_than_a_message_loses_nothing() -> None:
    text = "**" + "word " * 2000 + "**"
    pieces = split(text)
    check_fits(pieces)
    assert whole(pieces).replace("*", "") == "word" * 2000
    assert all(piece.replace("*", "").strip().endswith("word") for piece in pieces)


@pytest.mark.parametrize("mark", ["> ", "- ", "1. ", "* 1. "])
def test_nesting_beyond_the_parser_loses_nothing(mark: str) -> None:
    text = mark * 80 + "word " * 1500
    pieces = split(text)
    check_fits(pieces)
    assert whole(pieces).count("word") == 1500


def source_letters(text: str) -> list[str]:
    return [character for character in text if not character.isspace()]


def is_within(needle: list[str], hay: list[str]) -> bool:
    rest = iter(hay)
    return all(character in rest for character in needle)


PARAGRAPHS = ["Plain words here, and more of them. ", "Some **bold words** here. ", "漢字かな交じり文。"]
PARAGRAPHS += [
    "A [link](https://a.example/x) in it. ",
    "*Thin* and ~~gone~~ and `code`. ",
    "😀 emoji 👍🏽 too. ",
]
paragraph = st.builds(
    lambda parts, times: "".join(parts) * times,
    st.lists(st.sampled_from(PARAGRAPHS), min_size=1, max_size=4),
    st.integers(1, 60),
)
code = st.builds(
    lambda mark, language, count: (
        f"{mark}{language}\n" + "\n".join(f"x{n} = <{n}>" for n in range(count)) + f"\n{mark}"
    ),
    st.sampled_from(["```", "~~~", "`````"]),
    st.sampled_from(["", "python", "c++"]),
    st.integers(1, 400),
)
listing = st.builds(
    lambda sign, count, item: "\n".join(f"{sign} {item} {n}" for n in range(count)),
    st.sampled_from(["-", "*", "1."]),
    st.integers(1, 200),
    st.sampled_from(["item", "an **item**", "word " * 30]),
)
quote = paragraph.map(lambda text: "> " + text)
heading = st.sampled_from(["# Title", "## Sub *title*"])
answer = st.lists(st.one_of(paragraph, code, listing, quote, heading), min_size=1, max_size=8).map(
    "\n\n".join
)


@settings(deadline=None, max_examples=40)
@given(answer)
def test_pieces_show_what_the_whole_shows(text: str) -> None:
    pieces = split(text)
    check_fits(pieces)
    together = [re.sub(r"^\d+\. ", "", line) for line in "\n".join(shown(p).text for p in pieces).split("\n")]
    alone = [re.sub(r"^\d+\. ", "", line) for line in seen(render(text)).split("\n")]
    assert letters("".join(together)) == letters("".join(alone))


@settings(deadline=None, max_examples=40)
@given(messy, st.integers(1, 200))
def test_no_character_of_any_source_is_lost(text: str, times: int) -> None:
    text = text * times
    pieces = split(text)
    check_fits(pieces)
    source = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    kept = [character for character in source_letters(source) if character not in ">`~|-:*+"]
    assert is_within(kept, source_letters("".join(pieces)))
