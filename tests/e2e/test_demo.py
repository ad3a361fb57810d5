"""`parley demo` as a newcomer has it: a process of its own, with nothing set."""

import json
import signal

from aiohttp import ClientSession

from tests.e2e.programs import finished, started

ANOTHERS = {
    "TELEGRAM_TOKEN": "1:real", "DISCORD_TOKEN": "real", "SLACK_BOT_TOKEN": "xoxb-real",
    "SLACK_APP_TOKEN": "xapp-real", "OPENAI_API_KEY": "sk-real", "PARLEY_MODEL": "gpt-real",
    "PARLEY_ACCESS": "allowlist", "PARLEY_ALLOW": "telegram:1",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "REDIS_URL": "redis://127.0.0.1:9/0",
}  # fmt: skip


async def test_check_and_page(bare: dict[str, str]) -> None:
    """On one home, since setting up its servers takes seconds; first beside accounts not to be used."""
    checked = await finished("demo", "--check", "--json", environment={**bare, **ANOTHERS})
    assert await checked.ended() == 0, checked.printed + checked.log
    report = json.loads(checked.printed)
    assert report["ok"] is True
    assert sorted(one["channel"] for one in report["channels"]) == ["discord", "slack", "telegram"]
    assert [(one["answers"], one["others"]) for one in report["channels"]] == [(1, 0)] * 3
    assert "real" not in checked.printed + checked.log

    missed = await finished("demo", "--check", "--patience", "0", environment=bare)
    assert await missed.ended() == 1, missed.printed + missed.log
    assert missed.printed.count("no answer within 0 s") == 3

    async with started("demo", environment=bare) as demo:
        line = await demo.until(lambda: next((one for one in demo.printed.splitlines() if "http" in one), ""))
        url = line.split()[1]
        async with ClientSession(url) as client, client.get("/events") as stream:
            assert (await stream.content.readline()) == b"event: hello\n"
            demo.send_signal(signal.SIGINT)
            assert await demo.ended() == 0, demo.log
    assert "Traceback" not in demo.log


async def test_json_goes_with_check(bare: dict[str, str]) -> None:
    program = await finished("demo", "--json", environment=bare)
    assert await program.ended() == 2
    assert "--check" in program.log
