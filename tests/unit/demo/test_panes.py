"""What strangers write must come out as text, and what lies over it as the right tags."""

import pytest

from bots.demo.panes import bubble, discord_html, marked, marks, shown, utf16_marks
from bots.simulators.ledger import Seen, Version

EVIL = '<script>alert(1)</script><img src=x onerror="alert(1)"> & "quotes"'


def seen(text: str, *entities: dict[str, object], author: str = "bot") -> Seen:
    return Seen(id=7, chat="you", author=author, versions=[Version(text=text, at=1.0, entities=entities)])


@pytest.mark.parametrize("channel", ["discord", "telegram", "slack"])
def test_html_that_somebody_wrote_is_shown_and_never_run(channel: str) -> None:
    html = shown(channel, seen(EVIL, {"type": "bold", "offset": 0, "length": len(EVIL)}))
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<img" not in html


def test_marks_nest_and_blocks_end_their_line_by_themselves() -> None:
    over = marks(
        [
            {"type": "blockquote", "offset": 0, "length": 9},
            {"type": "bold", "offset": 0, "length": 4},
            {"type": "italic", "offset": 2, "length": 2},
            {"type": "code", "offset": 10, "length": 1},
        ]
    )
    assert marked("bold then\nx", over) == (
        "<blockquote><strong>bo<em>ld</em></strong> then</blockquote><code>x</code>"
    )


def test_marks_that_cross_are_cut_to_fit() -> None:
    over = marks([{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 2, "length": 3}])
    assert marked("abcde", over) == "<strong>ab<em>c</em></strong>de"


def test_telegram_counts_utf16_units() -> None:
    over = utf16_marks("🙂 bold", [{"type": "bold", "offset": 3, "length": 4}])
    assert marked("🙂 bold", over) == "🙂 <strong>bold</strong>"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "file:///etc"])
def test_links_lead_to_the_web_or_nowhere(url: str) -> None:
    entity = {"type": "text_link", "offset": 0, "length": 4, "url": url}
    assert shown("telegram", seen("here", entity)) == "here"
    assert "href" not in discord_html(f"[here]({url})")


def test_links_of_each_app() -> None:
    anchor = '<a href="https://example.org/a" target="_blank" rel="noopener noreferrer">'
    url = {"type": "url", "offset": 0, "length": 21}
    assert shown("telegram", seen("https://example.org/a", url)).startswith(anchor)
    assert discord_html("see https://example.org/a.") == f"<p>see {anchor}https://example.org/a</a>.</p>"
    assert discord_html("[x](https://example.org/a)") == f"<p>{anchor}x</a></p>"
    assert discord_html("`https://example.org/a`") == "<p><code>https://example.org/a</code></p>"


def test_discords_newlines_pictures_and_mentions() -> None:
    assert discord_html("a\nb ~~c~~ <@42>") == "<p>a<br />\nb <s>c</s> @you</p>"
    assert "<img" not in discord_html("![x](https://example.org/x.png)")


def test_a_bubble_says_whose_it_is_and_how_often_it_changed() -> None:
    message = seen("one", author="you")
    message.versions.append(Version(text="two", at=2.0))
    body = bubble("slack", message)
    assert (body["mine"], body["edits"], body["text"], body["at"]) == (True, 1, "two", 1.0)
