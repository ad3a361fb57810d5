"""What a figure was measured on: without it, it says nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("asyncpg", "sqlalchemy", "redis", "hiredis", "openai", "uvloop")


def describe(servers: dict[str, str]) -> dict[str, str]:
    """Machine, interpreter, servers and libraries, by name."""
    return {
        "machine": f"{os.cpu_count()} x {_processor()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **servers,
        **{name: version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.machine())
