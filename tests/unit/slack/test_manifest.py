"""The manifest that is printed asks for what the channel uses, and nothing more."""

import re

from typer.testing import CliRunner

from bots.cli.channels import MANIFESTS, app

USED = {
    "app_mentions:read", "assistant:write", "channels:history", "chat:write", "commands", "groups:history",
    "im:history", "mpim:history", "reactions:write",
}  # fmt: skip


def test_it_asks_for_what_is_used() -> None:
    text = MANIFESTS["slack"].read_text()
    assert set(re.findall(r"^ {6}- ([a-z_]+:?[a-z]*)\b", text, re.MULTILINE)) - USED == {
        "app_mention",
        "message",
    }
    assert set(re.findall(r"^ {6}- (message\.\w+)", text, re.MULTILINE)) == {
        "message.channels", "message.groups", "message.im", "message.mpim",
    }  # fmt: skip
    for line in ("- command: /parley", "socket_mode_enabled: true", "agent_view:"):
        assert line in text
    assert all(re.search(rf"^ {{6}}- {scope}\b", text, re.MULTILINE) for scope in USED)


def test_it_is_printed_for_slack_alone() -> None:
    runner = CliRunner()
    printed = runner.invoke(app, ["manifest", "slack"])
    assert printed.stdout == MANIFESTS["slack"].read_text()
    refused = runner.invoke(app, ["manifest", "telegram"])
    assert refused.exit_code == 2
    assert "allowed is slack" in refused.output
