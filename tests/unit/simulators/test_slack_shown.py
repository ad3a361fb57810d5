"""What the simulated Slack's readers see of mrkdwn, Markdown and blocks."""

from typing import Any

import pytest

from bots.simulators.slack.blocks import check_blocks, show_blocks
from bots.simulators.slack.markdown import show_markdown
from bots.simulators.slack.mrkdwn import escaped, show_mrkdwn
from bots.simulators.slack.params import SlackError
from bots.simulators.slack.shown import Shown


def names(some_id: str) -> str:
    return {"U0ANN": "ann", "C0GENERAL": "general"}.get(some_id, some_id)


def marked(shown: Shown) -> list[tuple[str, str]]:
    """Each entity's kind and the text under it."""
    return [
        (each["type"], shown.text[each["offset"] : each["offset"] + each["length"]])
        for each in shown.entities
    ]


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("plain &lt;b&gt; &amp;amp; &quot;", "plain <b> &amp; &quot;", []),
        ("*bold* _it_ ~no~ `x*y*`", "bold it no x*y*", ["bold", "italic", "strike", "code"]),
        ("2*3*4 snake_case_name a~b~c", "2*3*4 snake_case_name a~b~c", []),
        ("* not bold *", "* not bold *", []),
        ("*bold\nno*", "*bold\nno*", []),
        ("_*both*_", "both", ["bold", "italic"]),
        ("```\na = 1\n  b *c*\n```", "a = 1\n  b *c*", ["pre"]),
        ("> said\nnot", "said\nnot", ["quote"]),
        ("&gt; said", "said", ["quote"]),
        ("hi <@U0ANN> in <#C0GENERAL|general>", "hi @ann in #general", ["user", "channel"]),
        ("<!here> <!subteam^S1|@team> <!date^1^{date}|May>", "@here @team May", ["broadcast", "usergroup"]),
        (
            "<https://a.example/?a=1&amp;b=2|there> <https://b.example>",
            "there https://b.example",
            ["link"] * 2,
        ),
        ("see https://a.example/x.", "see https://a.example/x.", ["link"]),
        ("a <b c> d", "a <b c> d", []),
        ("@channel", "@channel", []),
    ],
)
def test_mrkdwn_is_shown_as_text(source: str, text: str, entities: list[str]) -> None:
    shown = show_mrkdwn(source, names)
    assert shown.text == text
    assert [kind for kind, _ in marked(shown)] == entities


def test_escaped_text_is_shown_as_it_was_typed() -> None:
    typed = "a < b && <!channel> &amp; <@U0ANN>"
    shown = show_mrkdwn(escaped(typed), names)
    assert shown.text == typed
    assert shown.pings == []


@pytest.mark.parametrize(
    ("source", "pings"),
    [
        ("<!channel> and <!everyone>, <!channel>", ["<!channel>", "<!everyone>"]),
        ("`<!here>`", ["<!here>"]),
        ("```<!here>```", ["<!here>"]),
        ("*<!here>*", ["<!here>"]),
        ("&lt;!channel&gt;", []),
        ("<!chan\u200bnel>", []),
    ],
)
def test_mass_mentions_in_mrkdwn_ring_unless_escaped(source: str, pings: list[str]) -> None:
    assert show_mrkdwn(source, names).mass_pings == pings


def test_a_bare_mass_mention_rings_only_when_names_are_linked() -> None:
    assert show_mrkdwn("hey @channel", names).mass_pings == []
    assert show_mrkdwn("hey @channel", names, link_names=True).mass_pings == ["<!channel>"]
    assert show_mrkdwn("ann@channel.example", names, link_names=True).mass_pings == []


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("**b** *i* ~~s~~ `c`", "b i s c", ["bold", "italic", "strike", "code"]),
        ("# Head\n\ntext\nmore", "Head\n\ntext\nmore", ["bold"]),
        ("- a\n- b\n    - c\n\nend", "• a\n• b\n    • c\n\nend", []),
        ("3. a\n4. b", "3. a\n4. b", []),
        ("```py\nx = 1\n\ny\n```", "x = 1\n\ny", ["pre"]),
        ("[t](https://a.example)", "t", ["link"]),
        ("> q\n\nr", "q\n\nr", ["quote"]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nend", "a | b\n1 | 2\n\nend", []),
        ("a &lt; b \\*c\\* <div>", "a < b *c* <div>", []),
        ("hi <@U0ANN>", "hi @ann", ["user"]),
        ("one\n\n---\n\ntwo", "one\n\n———\n\ntwo", []),
    ],
)
def test_markdown_is_shown_as_text(source: str, text: str, entities: list[str]) -> None:
    shown = show_markdown(source, names)
    assert shown.text == text
    assert [kind for kind, _ in marked(shown)] == entities


def test_a_code_block_tells_its_language() -> None:
    (entity,) = show_markdown("```py\nx\n```", names).entities
    assert entity == {"type": "pre", "offset": 0, "length": 1, "language": "py"}


@pytest.mark.parametrize(
    ("source", "pings"),
    [
        ("**<!channel>**", ["<!channel>"]),
        ("`<!channel>`", []),
        ("```\n<!channel>\n```", []),
        ("&lt;!channel&gt;", []),
        ("&lt;!channel>", []),
        ("\\<!channel>", []),
    ],
)
def test_mass_mentions_in_markdown_ring_outside_code_and_escapes(source: str, pings: list[str]) -> None:
    assert show_markdown(source, names).mass_pings == pings


def test_links_to_media_unfurl_by_default_and_others_when_asked() -> None:
    shown = show_mrkdwn("https://a.example/page https://b.example/cat.png https://youtu.be/x", names)
    media = ["https://b.example/cat.png", "https://youtu.be/x"]
    assert shown.unfurls(links=False, media=True) == media
    assert shown.unfurls(links=True, media=False) == ["https://a.example/page"]
    assert shown.unfurls(links=False, media=False) == []


def test_blocks_are_shown_one_under_the_other() -> None:
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": "*Head*"}},
        {"type": "divider"},
        {"type": "section", "text": {"type": "mrkdwn", "text": "*bold* <@U0ANN>"}},
        {"type": "markdown", "text": "**strong**"},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "_small_"}]},
    ]
    check_blocks(blocks)
    shown = show_blocks(blocks, names)
    assert shown.text == "*Head*\nbold @ann\nstrong\nsmall"
    assert marked(shown) == [("bold", "bold"), ("user", "@ann"), ("bold", "strong"), ("italic", "small")]


def test_rich_text_and_tables_are_shown() -> None:
    elements = [
        {"type": "text", "text": "hi ", "style": {"bold": True}},
        {"type": "broadcast", "range": "here"},
    ]
    rich = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}, rich]]}
    shown = show_blocks([rich, table], names)
    assert shown.text == "hi @here\na | hi @here"
    assert shown.mass_pings == ["<!here>"]


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ([{"type": "section"}], "invalid_blocks"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}], "invalid_blocks"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}], "invalid_blocks"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "invalid_blocks"),
        ([{"type": "divider"}] * 51, "invalid_blocks"),
        ([{"type": "nonsense"}], "invalid_blocks"),
        ([{"type": "markdown", "text": "x" * 6001}] * 2, "msg_blocks_too_long"),
    ],
)
def test_blocks_outside_the_rules_are_refused(blocks: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(SlackError) as refused:
        check_blocks(blocks)
    assert refused.value.code == code


def test_the_limits_themselves_are_allowed() -> None:
    check_blocks([{"type": "markdown", "text": "x" * 12_000}])
    check_blocks([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3000}}])
