"""Who this process is, in a way that lets a sibling on the same machine see that it is dead.

The name holds the machine's boot, the process namespace, the pid and when the process started, so that
neither a reboot nor a pid used again can be taken for the same process. Where there is no `/proc`, a
dead instance is found only by its leases running out, as on another machine.
"""

import os
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")


def name_instance() -> str:
    """`host/boot-namespace/pid-start`, or with a random end where that cannot be read."""
    try:
        return f"{socket.gethostname()}/{_machine()}/{os.getpid()}-{_started(os.getpid())}"
    except OSError:
        return f"{socket.gethostname()}/-/{os.getpid()}-{secrets.token_hex(4)}"


def dead_siblings(names: Iterable[str]) -> list[str]:
    """Those of the names that were processes of this machine and are not there any more."""
    try:
        machine = _machine()
    except OSError:
        return []
    return [name for name in names if _is_here(name, machine) and not _is_alive(name)]


def _machine() -> str:
    boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()[:13]
    return f"{boot}-{(PROC / 'self/ns/pid').stat().st_ino}"


def _is_here(name: str, machine: str) -> bool:
    parts = name.split("/")
    return len(parts) == 3 and parts[1] == machine


def _is_alive(name: str) -> bool:
    pid, _, started = name.rsplit("/", 1)[1].partition("-")
    try:
        return _started(int(pid)) == started and not _is_zombie(int(pid))
    except (OSError, ValueError):
        return False


def _fields(pid: int) -> list[str]:
    """The fields of proc(5) `stat` behind the name, which may itself hold spaces and brackets."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _started(pid: int) -> str:
    return _fields(pid)[19]


def _is_zombie(pid: int) -> bool:
    return _fields(pid)[0] == "Z"
