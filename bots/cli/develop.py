"""The developer's two verbs: run the tests, check the code.

Both run their tools as children of this interpreter, in the checkout. A wheel has neither tests nor
tools: there they say so.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_MEMORY = Path("/dev/shm")
_ENOUGH = 2 << 30
"""Bytes: what the servers of a few workers write, and room to spare."""
_CHECKS = {
    "lint": ("-m", "ruff", "check", "."),
    "format": ("-m", "ruff", "format", "--check", "."),
    "types": ("-m", "mypy"),
    # import-linter has no `-m`, and scripts in .venv/bin break when the checkout moves.
    "arrows": ("-c", "from importlinter.cli import lint_imports_command as run; run(['--no-logo'])"),
}


def test(args: list[str]) -> int:
    """Run pytest with `args`; its exit code. The whole suite is spread over two workers a core, since much
    of it waits, a file to a worker; in order, since the long ones come first: `tests/e2e`, `tests/faults`.

    Compiled modules are kept even where that is forbidden: else every worker compiles all of them.
    """
    command = ["-m", "pytest", *(args or _whole())]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if _has_memory():
        environment.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
        command += ["-o", "tmp_path_retention_policy=failed", "-o", "tmp_path_retention_count=1"]
    return _run(*command, environment=environment)


def _whole() -> list[str]:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return ["-n", str(2 * cores), "--dist", "loadfile", "--no-loadscope-reorder"]


def _has_memory() -> bool:
    """Is there a folder in memory, with room in it, where programs may be started? Tests make hundreds of
    databases; each is a copy of 400 files, which is a fifth of the work there that it is on a disk."""
    if not _MEMORY.is_dir() or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return False
    return shutil.disk_usage(_MEMORY).free >= _ENOUGH


def check() -> int:
    """Lint, format, types, arrows: all of them, whatever fails; 0 when all pass, else 1."""
    failed = []
    for name, command in _CHECKS.items():
        print(f"== {name}", flush=True)
        if _run(*command):
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks pass", flush=True)
    return 1 if failed else 0


def _run(*command: str, environment: Mapping[str, str] | None = None) -> int:
    if not (_ROOT / "tests").is_dir():
        print("this verb needs a checkout of Parley: there are no tests here", file=sys.stderr)
        return 2
    return subprocess.run([sys.executable, *command], cwd=_ROOT, env=environment).returncode
