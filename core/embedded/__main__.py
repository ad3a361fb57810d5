"""`python -m core.embedded [--fast]`: the supervisor of the pair in the working directory.

Returns when the supervisor listens; from then on it runs by itself, with the pair's folder as its
working directory. Started by `pair.py` only.
"""

import asyncio
import logging
import os
import socket
import sys
from pathlib import Path

from core.embedded.folder import SUPERVISOR_LOCK, SUPERVISOR_SOCKET, take
from core.embedded.server import open_log
from core.embedded.supervisor import Supervisor


def main() -> None:
    """Wait for an ending predecessor, listen, leave the terminal, serve."""
    with take(Path(SUPERVISOR_LOCK)) as lock:
        listener = _listen()
        if os.fork():
            os._exit(0)
        output = open_log(Path("supervisor.log"))
        os.dup2(output, sys.stdout.fileno())
        os.dup2(output, sys.stderr.fileno())
        lock.write(f"{os.getpid()}\n")
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        asyncio.run(Supervisor(durable="--fast" not in sys.argv).run(listener))


def _listen() -> socket.socket:
    Path(SUPERVISOR_SOCKET).unlink(missing_ok=True)  # we hold the lock: nobody listens there
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SUPERVISOR_SOCKET)
    listener.listen(128)
    return listener


if __name__ == "__main__":
    main()
