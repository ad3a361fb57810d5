"""The README promises nothing that is not there: tests it names, files it points at, verbs it teaches."""

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bots.cli import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
OPTIONAL = {"config/local.toml"}
PATHS = sorted(set(re.findall(r"`((?:bots|core|config|tests|migrations)/[\w./*-]+)`", README)) - OPTIONAL)
TESTS = sorted(set(re.findall(r"`(test_\w+)`", README)))
VERBS = sorted(set(re.findall(r"`(?:\./)?parley ([a-z]+)", README)))


@pytest.mark.parametrize("path", PATHS)
def test_named_files_exist(path: str) -> None:
    assert list(ROOT.glob(path)), path


@pytest.mark.parametrize("name", TESTS)
def test_named_tests_exist(name: str) -> None:
    sources = ROOT.joinpath("tests").rglob("test_*.py")
    assert any(f"def {name}(" in source.read_text() for source in sources), name


@pytest.mark.parametrize("verb", VERBS)
def test_taught_verbs_exist(verb: str) -> None:
    assert verb in get_command(app).list_commands(None)  # type: ignore[attr-defined]
    assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0 or verb == "test"


FAULTS = re.findall(r"^\| (F\d+) \|(.*)\|$", README, re.MULTILINE)
RULES = dict(
    re.findall(
        r"- alert: (\w+)\n(.*?)(?=- alert:|\Z)",
        (ROOT / "config" / "prometheus" / "alerts.yml").read_text(),
        re.DOTALL,
    )
)


def test_every_fault_has_its_row() -> None:
    assert [name for name, _ in FAULTS] == [f"F{number}" for number in range(1, 30)]
    assert {name for name, row in FAULTS if "not built yet" in row} == {"F20", "F23", "F24", "F28"}


@pytest.mark.parametrize(("fault", "row"), [each for each in FAULTS if "not built yet" not in each[1]])
def test_a_fault_can_be_seen_and_is_shown(fault: str, row: str) -> None:
    """Each alert that a row names watches this fault, and asks the metric that the row names."""
    alerts = re.findall(r"`(Parley\w+)`", row)
    assert alerts
    for alert in alerts:
        assert re.search(rf'faults: "[^"]*\b{fault}\b', RULES[alert]), f"{alert} does not watch {fault}"
    asked = "".join(RULES[alert] for alert in alerts)
    metrics = re.findall(r"`(parley_\w+)`", row)
    assert metrics
    assert all(metric in asked for metric in metrics)
    assert re.search(r"`test_\w+`", row)


def test_every_sentence_of_the_promise_is_shown() -> None:
    promise = README[README.index("## The promise") : README.index("### When something breaks")]
    sentences = re.split(r"^\d\. ", promise, flags=re.MULTILINE)[1:]
    assert len(sentences) == 8
    assert all(re.search(r"`test_\w+`", sentence) for sentence in sentences)
