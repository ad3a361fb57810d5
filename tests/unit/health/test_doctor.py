"""The doctor: a table with mends, the same facts as JSON, an exit code."""

import json
from collections.abc import Sequence

import pytest

from bots.cli.doctor import doctor, exit_code, render
from bots.health import Check, Report, State

CHECKS = (
    Check(name="database", state="ok", detail="Postgres 18.4"),
    Check(name="cache", state="degraded", detail="[red]does not answer[/red]", mend="Start Redis."),
    Check(name="channel telegram", state="failed", detail="日本 refused", mend="Set TELEGRAM_TOKEN."),
)


def test_each_fault_stands_over_its_mend() -> None:
    lines = render(Report(checks=CHECKS)).splitlines()
    assert lines[0].split() == ["database", "ok", "Postgres", "18.4"]
    assert lines[1].endswith("degraded  [red]does not answer[/red]")
    assert lines[2].strip() == "→ Start Redis."
    assert lines[-1] == "Something is broken."


def test_a_narrow_terminal_breaks_lines_not_facts() -> None:
    text = render(Report(checks=(Check(name="disk", state="ok", detail="word " * 40),)), width=40)
    assert text.split().count("word") == 40
    assert max(len(line) for line in text.splitlines()) <= 40


def test_colours_come_only_when_asked_for() -> None:
    assert "\x1b[" not in render(Report(checks=CHECKS))
    assert "\x1b[" in render(Report(checks=CHECKS), colour=True)


def test_json_has_the_same_facts() -> None:
    assert json.loads(render(Report(checks=CHECKS), as_json=True)) == {
        "state": "failed",
        "ready": False,
        "checks": [
            {"name": check.name, "state": check.state, "detail": check.detail, "mend": check.mend}
            for check in CHECKS
        ],
    }


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("off", 0), ("degraded", 0), ("failed", 1)])
def test_only_a_failure_is_an_error(state: State, code: int) -> None:
    assert exit_code(Report(checks=(Check(name="part", state=state),))) == code


async def test_the_doctor_asks_and_judges() -> None:
    async def probe() -> Sequence[Check]:
        return CHECKS

    text, code = await doctor({"all": probe}, as_json=True)
    assert json.loads(text)["checks"][2]["mend"] == "Set TELEGRAM_TOKEN."
    assert code == 1
