"""Options of `parley torture` that cannot go together are an error that names both."""

import pytest
from typer.testing import CliRunner

from bots.cli import app


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("--minutes 1 --kills 3", "--minutes and --kills exclude each other"),
        ("--minutes 1 --rate 3 --messages 9", "--rate and --messages exclude each other"),
        ("--rate 3", "--rate goes with --minutes"),
        ("--full --minutes 2", "--full and --minutes exclude each other"),
        ("--full --channels slack", "--full and --channels exclude each other"),
        ("--channels irc", "'irc' given; allowed: telegram, discord, slack"),
    ],
)
def test_what_cannot_go_together_is_refused(typed: str, wrong: str) -> None:
    result = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, ["torture", *typed.split()])
    assert result.exit_code == 2
    assert wrong in result.output
