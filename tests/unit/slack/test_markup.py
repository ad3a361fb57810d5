"""CommonMark as Slack shows it, read back by the simulator's readers, which were written apart."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.simulators.slack.markdown import show_markdown
from bots.simulators.slack.mrkdwn import show_mrkdwn
from bots.simulators.slack.shown import Shown
from bots.slack.markup import JOINER, MAX_TEXT, markdown, measure, render, split, utf16_length

SIGNS = ["**", "*", "_", "~~", "`", "```", "```py\n", "[", "](", ")", "![", "https://a.example", "> ", "- "]
SIGNS += ["1. ", "# ", "| a | b |\n|---|---|\n", "|", "\n", "\n\n", "    ", "---\n", "\\", "word ", "漢字"]
SIGNS += [
    "<!channel>",
    "<@U123>",
    "&lt;",
    "!here>",
    "<",
    ">",
    "&",
    "@everyone",
    "\u2028",
    "\x00",
    "\ud83d",
    "😀",
]
SIGNS += [
    "[bank.example](https://evil.example)",
    "<#C12>",
    "<https://x.example|y>",
    "[a]: https://b.example\n",
]
messy = st.lists(st.one_of(st.sampled_from(SIGNS), st.text(max_size=8)), max_size=40).map("".join)


def name(identity: str) -> str:
    return identity.lower()


def in_text(text: str) -> Shown:
    return show_mrkdwn(render(text), name, link_names=True)


def marks(shown: Shown) -> list[tuple[str, str]]:
    return [
        (one["type"], shown.text[one["offset"] : one["offset"] + one["length"]]) for one in shown.entities
    ]


@pytest.mark.parametrize(
    ("text", "visible", "entities"),
    [
        ("**bold** and *thin*", "bold and thin", [("bold", "bold"), ("italic", "thin")]),
        ("~~gone~~ `a<b`", "gone a<b", [("strike", "gone"), ("code", "a<b")]),
        ("# Head **line**", "Head line", [("bold", "Head line")]),
        ("```py\nx = '<&>'\n```", "x = '<&>'", [("pre", "x = '<&>'")]),
        ("> said\n> so", "said\nso", [("quote", "said"), ("quote", "so")]),
        ("- a\n- b\n  1. c\n  2. d", "• a\n• b\n    1. c\n    2. d", []),
        ("3. a\n4. b", "3. a\n4. b", []),
        ("a\n\n---\n\nb", "a\n\n──────────\n\nb", []),
        ("[docs](https://a.example/x)", "docs", [("link", "docs")]),
        ("![a cat](https://a.example/c.png)", "a cat", [("link", "a cat")]),
        ("[write](mailto:a@b.example)", "write", [("link", "write")]),
        ("[notes](docs/notes.md)", "notes (docs/notes.md)", []),
        ("1 < 2 & 3 > 2 &amp; 4", "1 < 2 & 3 > 2 & 4", []),
        ("** not bold **", "** not bold **", []),
        ("| a | n |\n|:--|--:|\n| 漢 | 1 |", "a   n\n──  ─\n漢  1", [("pre", "a   n\n──  ─\n漢  1")]),
        ("", "", []),
    ],
)
def test_what_the_reader_of_the_text_sees(text: str, visible: str, entities: list[tuple[str, str]]) -> None:
    shown = in_text(text)
    assert shown.text == visible
    assert marks(shown) == entities


def test_code_cannot_end_its_block() -> None:
    shown = in_text("````\nbefore\n```\nafter\n````\n\n`` a`b ``")
    assert [kind for kind, _ in marks(shown)] == ["pre", "code"]
    assert shown.text.replace(JOINER, "") == "before\n```\nafter\n\naˋb"


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("[https://bank.example](https://evil.example)", "https://bank.example (evil.example)"),
        ("[bank.example](https://bank.example@evil.example/x)", "bank.example (evil.example)"),
        ("[bank.example ![](https://x.example)](https://evil.example)", None),
        ("see [1]\n\n[1]: https://evil.example", None),
    ],
)
def test_a_link_cannot_lie(text: str, visible: str | None) -> None:
    assert markdown(text) is None
    assert visible is None or in_text(text).text == visible


@pytest.mark.parametrize(
    "text", ["[www.bank.example](https://bank.example/in)", "[x](https://a.example)", "<https://a.example>"]
)
def test_an_honest_link_may_stand_in_a_block(text: str) -> None:
    assert markdown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>", "<!here|now>", "<!subteam^S123|team>", "<@U0123>", "&lt;!everyone&gt;", "\\<!channel>",
        "&#60;!here>", "@channel", "say @HERE!", "```\n<!channel>\n```", "`@everyone`",
    ],
)  # fmt: skip
def test_what_may_ring_stands_in_no_block_and_rings_not_in_text(text: str) -> None:
    assert markdown(text) is None
    assert in_text(text).pings == []


@pytest.mark.parametrize(
    "text", ["a@here.example", "<!DOCTYPE html>", "<!-- x -->", "@hereabouts", "x<y @ z"]
)
def test_what_only_looks_alike_is_let_through(text: str) -> None:
    assert markdown(text) == text


@settings(deadline=None)
@given(messy)
def test_any_text_can_be_shown_and_rings_nobody(text: str) -> None:
    drawn = render(text)
    drawn.encode()
    assert drawn or not text
    shown = show_mrkdwn(drawn, name)
    assert shown.pings == []
    source = markdown(text)
    if source is not None:
        source.encode()
        assert show_markdown(source, name).pings == []


@settings(deadline=None)
@given(messy)
def test_every_sign_of_the_text_is_escaped(text: str) -> None:
    inside = re.sub(r"<(?:https?|mailto):[^<>\n|]*\|[^<>\n]*>", "", render(text))
    assert "<" not in inside
    assert not re.search(r"&(?!amp;|lt;|gt;)", inside)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.one_of(messy, st.sampled_from(["x" * 3000, "word " * 700, "<&>" * 900]))).map("\n\n".join))
def test_pieces_fit_and_each_can_be_an_edit(text: str) -> None:
    pieces = split(text)
    assert pieces
    for piece in pieces:
        assert measure(piece) <= MAX_TEXT
        assert utf16_length(render(piece)) <= MAX_TEXT


def test_half_an_answer_renders_at_every_length() -> None:
    whole = "# T\n\n**bold *thin* end** [x](https://a.example) `c`\n\n```py\nx = 1\n```\n\n"
    whole += "| a | b |\n|---|---|\n| 1 | 2 |"
    for end in range(len(whole) + 1):
        assert show_mrkdwn(render(whole[:end]), name).pings == []
        assert render(whole[:end]).strip() or not whole[:end].strip()
