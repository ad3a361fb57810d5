"""The developer's verbs and the script that CI runs: a failure is never swallowed on the way out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from bots.cli import develop

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["--no-such-option"], 4)])
def test_the_verb_test_passes_arguments_in_and_the_exit_code_out(arguments: list[str], code: int) -> None:
    assert develop.test(arguments) == code


@pytest.mark.parametrize(
    ("checked", "tested", "closing", "code"),
    [
        (0, 0, "== 3 passed in 0.10s ==", 0),
        (1, 0, "== 3 passed, 1 skipped in 61.02s (0:01:01) ==", 1),
        (0, 1, "== 1 failed, 2 passed in 0.10s ==", 1),
        (0, 2, "== 1 error in 0.10s ==", 1),
        (0, 3, None, 1),
    ],
)
def test_ci_ends_with_pytests_closing_line(
    tmp_path: Path, checked: int, tested: int, closing: str | None, code: int
) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    said = f"echo '{closing}'; echo 'something after it'" if closing else ":"
    wrapper = tmp_path / "parley"
    wrapper.write_text(f"#!/bin/sh\n[ $1 = check ] && exit {checked}\n{said}\nexit {tested}\n")
    wrapper.chmod(0o755)
    done = subprocess.run([str(tmp_path / ".ci" / "run")], cwd="/", capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.splitlines()[-1] == (closing or "the tests did not run to their end")
