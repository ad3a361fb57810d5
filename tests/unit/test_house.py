"""The house rules that no linter knows: names, sizes, and folders that look alike."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from typer.main import get_command

from bots.cli import app
from core.store import schema

ROOT = Path(__file__).parents[2]
ROOMS = ("bots", "config", "core", "migrations", "tests")
CHANNELS = ("discord", "slack", "telegram")
CHANNEL_FILES = {"receive.py", "translate.py", "markup.py", "ids.py", "commands.py", "send.py"}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "common", "base", "misc"}
LONGEST = 300
# The first is a table of tables, the second writes them down: neither has anything to tell apart.
LONGER = {"core/store/tables.py", "migrations/versions/0001_first_schema.py"}


def modules() -> list[Path]:
    """Every Python file of ours that is, or is about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        return [Path(line) for line in listed.stdout.splitlines() if (ROOT / line).exists()]
    return [path.relative_to(ROOT) for room in ROOMS for path in (ROOT / room).rglob("*.py")]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_the_one_in_this_checkout(room: str) -> None:
    found = importlib.util.find_spec(room)
    assert found is not None
    assert found.origin == str(ROOT / room / "__init__.py")


def test_every_folder_is_a_package() -> None:
    folders = {path.parent for path in modules()}
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()] == []


def test_no_file_swallows_the_house() -> None:
    lines = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules()}
    long = {path for path, count in lines.items() if count > LONGEST and not path.startswith("tests/")}
    assert long - LONGER == set()


def test_a_name_says_what_is_in_it() -> None:
    assert [str(path) for path in modules() if path.stem in NAMES_THAT_SAY_NOTHING] == []


@pytest.mark.parametrize("channel", CHANNELS)
def test_channel_folders_look_alike(channel: str) -> None:
    assert {path.name for path in (ROOT / "bots" / channel).iterdir()} >= CHANNEL_FILES


def test_every_verb_in_the_readme_exists() -> None:
    known = verbs()
    said = set(re.findall(r"(?:\./|`)parley ([a-z]+)", (ROOT / "README.md").read_text()))
    assert said, "the README tells no verb"
    assert said - known == set()


def verbs() -> set[str]:
    command = get_command(app)
    return set(getattr(command, "commands", {}))


def test_the_newest_revision_is_known_without_alembic() -> None:
    assert schema.head() == ScriptDirectory(str(ROOT / "migrations")).get_current_head()
