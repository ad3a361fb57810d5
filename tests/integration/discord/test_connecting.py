"""`parley channels invite` and `parley channels check`, against the simulated platforms."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bots.discord.invite import invite_url
from bots.inspection import SLACK_SCOPES, inspect
from bots.simulators.discord import DiscordSimulator
from bots.simulators.discord.intents import PRIVILEGED
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from tests.integration.discord.running import TOKEN
from tests.world import settings_for


def test_the_invitation_asks_for_what_is_used() -> None:
    asked = parse_qs(urlsplit(invite_url("42")).query)
    assert asked["client_id"] == ["42"]
    assert asked["scope"] == ["bot applications.commands"]
    # View Channels, Send Messages, Add Reactions, Read Message History, Send Messages in Threads.
    assert int(asked["permissions"][0]) == 0x400 | 0x800 | 0x40 | 0x10000 | 0x4000000000


@pytest.mark.parametrize("given", [True, False])
async def test_a_missing_intent_is_named(tmp_path: Path, given: bool) -> None:
    async with DiscordSimulator(token=TOKEN, intents=PRIVILEGED if given else 0) as sim:
        around = {"DISCORD_TOKEN": TOKEN, "DISCORD_API_URL": sim.api_url}
        around["PARLEY_DISCORD__MESSAGE_CONTENT"] = "true"
        found = await inspect(settings_for(tmp_path, around), "discord")
    assert (found.state, found.detail) == ("ok", f"@parley_bot ({sim.bot_id})")
    assert any("message content intent" in one for one in found.missing) != given


async def test_a_wrong_token_is_a_failure_that_tells_no_token(tmp_path: Path) -> None:
    async with DiscordSimulator(token=TOKEN) as sim:
        around = {"DISCORD_TOKEN": "secret-of-mine", "DISCORD_API_URL": sim.api_url}
        found = await inspect(settings_for(tmp_path, around), "discord")
    assert found.state == "failed"
    assert "does not know this token" in found.detail
    assert "secret-of-mine" not in str(found)


async def test_telegrams_privacy_mode_is_named(tmp_path: Path) -> None:
    async with TelegramSimulator() as sim:
        around = {"TELEGRAM_TOKEN": "4242:abc", "TELEGRAM_API_URL": sim.url}
        found = await inspect(settings_for(tmp_path, around), "telegram")
    assert found.state == "ok"
    assert "/setprivacy" in found.missing[0]


async def test_slacks_missing_scope_is_named(tmp_path: Path) -> None:
    async with SlackSimulator(scopes=[one for one in SLACK_SCOPES if one != "commands"]) as sim:
        around = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "SLACK_API_URL": sim.api_url}
        found = await inspect(settings_for(tmp_path, around), "slack")
    assert found.state == "ok"
    assert [one for one in found.missing if "the scope commands" in one] == list(found.missing) != []


async def test_without_credentials_nothing_is_called(tmp_path: Path) -> None:
    found = [await inspect(settings_for(tmp_path, {}), name) for name in ("discord", "telegram", "slack")]
    assert {one.state for one in found} == {"unset"}
