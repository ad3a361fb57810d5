"""The developer's two verbs: run the tests, check the code.

Both run their tools as children of this interpreter, in the checkout. A wheel has neither tests nor
tools: there they say so.
"""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_CHECKS = {
    "lint": ("-m", "ruff", "check", "."),
    "format": ("-m", "ruff", "format", "--check", "."),
    "types": ("-m", "mypy"),
    # import-linter has no `-m`, and scripts in .venv/bin break when the checkout moves.
    "arrows": ("-c", "from importlinter.cli import lint_imports_command as run; run(['--no-logo'])"),
}


def test(args: list[str]) -> int:
    """Run pytest with `args`; its exit code. The whole suite is spread over the cores, a file to a worker,
    since most of it waits for servers."""
    return _run("-m", "pytest", *(args or ("-n", "auto", "--dist", "loadfile")))


def check() -> int:
    """Lint, format, types, arrows: all of them, whatever fails; 0 when all pass, else 1."""
    failed = []
    for name, command in _CHECKS.items():
        print(f"== {name}", flush=True)
        if _run(*command):
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all checks pass", flush=True)
    return 1 if failed else 0


def _run(*command: str) -> int:
    if not (_ROOT / "tests").is_dir():
        print("this verb needs a checkout of Parley: there are no tests here", file=sys.stderr)
        return 2
    return subprocess.run([sys.executable, *command], cwd=_ROOT).returncode
