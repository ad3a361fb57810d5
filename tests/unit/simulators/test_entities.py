"""The simulated Telegram's reading of markup: what people see, the entities over it, its refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.simulators.telegram.entities import BadMarkup, Parser, detect, given_entities, utf16_length
from bots.simulators.telegram.html import parse_html
from bots.simulators.telegram.markdown import parse_markdown_v2

Shown = tuple[str, list[tuple[str, int, int]]]


def shown(parse: Parser, source: str) -> Shown:
    formatted = parse(source)
    return formatted.text, [(entity.type, entity.offset, entity.length) for entity in formatted.entities]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain & simple", ("plain & simple", [])),
        ("&lt;b&gt; &#65; &#x1F389; &nbsp;", ("<b> A 🎉 &nbsp;", [])),
        ("🎉<b>é</b>", ("🎉é", [("bold", 2, 1)])),
        ("<B>x</B><em>y</em>", ("xy", [("bold", 0, 1), ("italic", 1, 1)])),
        ("<u>a<s>b</s></u>", ("ab", [("underline", 0, 2), ("strikethrough", 1, 1)])),
        ('<span class="tg-spoiler">x</span>', ("x", [("spoiler", 0, 1)])),
        ("<blockquote expandable>q</blockquote>", ("q", [("expandable_blockquote", 0, 1)])),
        ("<b></b>x", ("x", [])),
        (" <i> x </i> ", (" x", [("italic", 0, 2)])),
        ("<pre>  code</pre>", ("  code", [("pre", 0, 6)])),
        ('<pre><code class="language-py">x</code></pre>', ("x", [("pre", 0, 1)])),
        ('<a href="https://e.org/?a=1&amp;b=2">x</a>', ("x", [("text_link", 0, 1)])),
        ('<a href="tg://user?id=5">x</a>', ("x", [("text_mention", 0, 1)])),
        ('<a href="nowhere">x</a>', ("x", [])),
        ('<tg-emoji emoji-id="5">👍</tg-emoji>', ("👍", [("custom_emoji", 0, 2)])),
    ],
)
def test_html(source: str, expected: Shown) -> None:
    assert shown(parse_html, source) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 < 2", 'Unsupported start tag "" at byte offset 2'),
        ("é<p>x</p>", 'Unsupported start tag "p" at byte offset 2'),
        ("<b", "Unclosed start tag at byte offset 0"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<i><b>x</b>", 'Can\'t find end tag corresponding to start tag "i"'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        (
            "<a href>x</a>",
            'Expected equal sign in declaration of an attribute of the tag "a" at byte offset 0',
        ),
        ("<a href=x/y>z</a>", "Unexpected end of name token at byte offset 8"),
    ],
)
def test_html_refused(source: str, reason: str) -> None:
    with pytest.raises(BadMarkup) as refused:
        parse_html(source)
    assert str(refused.value) == reason


def test_languages_and_addresses_are_kept() -> None:
    (block,) = parse_html('<pre><code class="language-py">x</code></pre>').entities
    assert block.language == "py"
    (span,) = parse_html('<code class="language-py">x</code>').entities
    assert span.language is None
    (fence,) = parse_markdown_v2("```py\nx\n```").entities
    assert (fence.type, fence.language) == ("pre", "py")
    (link,) = parse_markdown_v2(r"[x](e.org/a\)b)").entities
    assert link.url == "http://e.org/a)b"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"1\. a\-b \\ \`", ("1. a-b \\ `", [])),
        ("*b _i_* __u__", ("b i u", [("bold", 0, 3), ("italic", 2, 1), ("underline", 4, 1)])),
        ("_i __u___", ("i u", [("italic", 0, 3), ("underline", 2, 1)])),
        ("🎉 ~s~ ||h||", ("🎉 s h", [("strikethrough", 3, 1), ("spoiler", 5, 1)])),
        ("`a*b.c`", ("a*b.c", [("code", 0, 5)])),
        ("```\n*x*.\n```", ("*x*.", [("pre", 0, 4)])),
        ("```\na\n``` b", ("a\n b", [("pre", 0, 2)])),
        ("[x](https://e.org)", ("x", [("text_link", 0, 1)])),
        ("![👍](tg://emoji?id=5)", ("👍", [("custom_emoji", 0, 2)])),
        (">a\n>b\nc", ("a\nb\nc", [("blockquote", 0, 4)])),
        (">a\n>b||\nc", ("a\nb\nc", [("expandable_blockquote", 0, 4)])),
        (">*a*\n>b", ("a\nb", [("blockquote", 0, 3), ("bold", 0, 1)])),
        (">a\n**>b", ("a\nb", [("blockquote", 0, 2), ("blockquote", 2, 1)])),
        ("x **", ("x", [])),
    ],
)
def test_markdown(source: str, expected: Shown) -> None:
    assert shown(parse_markdown_v2, source) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("a-b", "Character '-' is reserved and must be escaped with the preceding '\\'"),
        ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        ("é *b", "Can't find end of Bold entity at byte offset 3"),
        ("*a _b*_", "Can't find end of Italic entity at byte offset 6"),
        ("`a", "Can't find end of Code entity at byte offset 0"),
        ("```py\nx", "Can't find end of PreCode entity at byte offset 0"),
        ("[x](y", "Can't find end of a URL at byte offset 4"),
        (">*a\nb*", "Can't find end of Bold entity at byte offset 1"),
        ("![👍](https://e.org)", "Custom emoji URL must have scheme tg"),
    ],
)
def test_markdown_refused(source: str, reason: str) -> None:
    with pytest.raises(BadMarkup) as refused:
        parse_markdown_v2(source)
    assert str(refused.value) == reason


@pytest.mark.parametrize("character", list("_*[]()~`>#+-=|{}.!"))
def test_each_reserved_character_can_be_escaped(character: str) -> None:
    assert shown(parse_markdown_v2, f"a\\{character}b") == (f"a{character}b", [])


@given(st.text(alphabet=st.sampled_from("ab é🎉\n\r\\_*~`|[]()!>#<>/&;\"'= btgi"), max_size=40))
def test_any_source_is_read_or_refused(source: str) -> None:
    for parse in (parse_html, parse_markdown_v2):
        try:
            formatted = parse(source)
        except BadMarkup:
            continue
        total = utf16_length(formatted.text)
        assert formatted.text.strip() == "" or formatted.text[-1].strip() != ""
        assert all(0 <= entity.offset < entity.end <= total for entity in formatted.entities)


@given(st.text(max_size=60))
def test_escaped_text_comes_through_unchanged(text: str) -> None:
    plain = text.replace("\\", "").strip()
    html = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert parse_html(html).text == plain
    markdown = "".join(f"\\{each}" if each in "_*[]()~`>#+-=|{}.!" else each for each in plain)
    assert parse_markdown_v2(markdown).text == plain


def test_what_is_found_without_markup() -> None:
    text = "/ask@parley_bot see https://e.org/a, @ann and #news; not a/b or me@e.org"
    found = {entity.type: text[entity.offset : entity.end] for entity in detect(text)}
    assert found == {
        "bot_command": "/ask@parley_bot",
        "url": "https://e.org/a",
        "mention": "@ann",
        "hashtag": "#news",
    }


def test_given_entities_must_lie_within_the_text() -> None:
    assert given_entities("abc", [{"type": "bold", "offset": 1, "length": 2}]).entities[0].end == 3
    for wrong in (
        {"type": "bold", "offset": 1, "length": 3},
        {"type": "loud", "offset": 0, "length": 1},
        {"type": "bold", "offset": "0", "length": 1},
    ):
        with pytest.raises(BadMarkup):
            given_entities("abc", [wrong])
