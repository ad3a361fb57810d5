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
