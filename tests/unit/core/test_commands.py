"""What counts as a command, and what is only talk."""

import pytest

from core.commands import commands, kind_of, parse
from core.commands.command import Typed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/help", Typed(name="help", argument="", sure=True)),
        ("!help", Typed(name="help", argument="", sure=False)),
        ("  /Help  ", Typed(name="help", argument="", sure=True)),
        ("/ask  what is it? ", Typed(name="ask", argument="what is it?", sure=True)),
        ("/ask line one\nline two", Typed(name="ask", argument="line one\nline two", sure=True)),
        ("/ask\nbelow", Typed(name="ask", argument="below", sure=True)),
        ("/start@parley_bot deep", Typed(name="start", argument="deep", sure=True)),
        ("!model gpt-5-mini", Typed(name="model", argument="gpt-5-mini", sure=False)),
        ("hello /help", None),
        ("/", None),
        ("//help", None),
        ("/ help", None),
        ("/path/to/file", None),
        ("/5", None),
        ("!", None),
        ("!!!", None),
        ("!wow!", None),
        ("", None),
    ],
)
def test_parse(text: str, expected: Typed | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hello", "message"),
        ("/help", "command"),
        ("!help", "command"),
        ("/unheard_of", "command"),
        ("!wow", "message"),
        ("!wow that is great", "message"),
        ("/stop", "stop"),
        ("!STOP", "stop"),
        ("/stop it please", "stop"),
        ("/etc/passwd", "message"),
        ("don't /stop", "message"),
    ],
)
def test_kind(text: str, kind: str) -> None:
    assert kind_of(text, commands()) == kind


def test_the_table_has_every_command_under_its_own_name() -> None:
    table = commands()
    wanted = "start help ask new model usage history stop retry again"
    assert list(table) == wanted.split()
    assert all(command.offer.name == name and command.offer.summary for name, command in table.items())
    assert [name for name, command in table.items() if command.starts_anew] == ["new"]
