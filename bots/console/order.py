"""Several terminals of one person are one conversation: they take turns, so that each is answered where the
question was typed.

A lock of the kernel's, which frees it however its holder ends.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

ASK_AGAIN = 0.02
"""Seconds. A wait that blocks could not be cancelled."""


@asynccontextmanager
async def in_order(file: Path) -> AsyncIterator[None]:
    """Hold the lock of this file while entered. Its folder is made where it is not there."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file.open("a") as lock:
        while True:
            if _take(lock):
                break
            await asyncio.sleep(ASK_AGAIN)
        yield


def _take(lock: TextIO) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
