"""A process that has imported everything and forks gateways, each a fresh one for a fraction of the price.

Starting Python and importing costs more than a second of a core; a trial of the kill points starts a hundred
gateways. The zygote forks before it has any thread, event loop or connection, and a child then does what
`python -m bots.torture.victim` does. On Linux all of them die with whoever opened the zygote.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from core.errors import ParleyError

MODULES = (
    *("bots.cli.loop", "bots.cli.serve", "bots.neighbours", "bots.catalog", "core.llm.openai_model"),
    *("bots.telegram.adapter", "bots.discord.adapter", "bots.slack.adapter", "core.store.schema"),
    *("alembic.autogenerate", "alembic.command", "anyio._backends._asyncio", "asyncpg", "certifi"),
    *("encodings.idna", "genai_prices.data", "genai_prices.data_snapshot", "httpcore", "httpcore2", "openai"),
    *("pydantic.v1", "redis.asyncio", "truststore", "typer._adapters", "uvicorn.lifespan.off"),
    *("uvicorn.protocols.http.auto", "uvloop"),
)
"""What a gateway would import, those too that it imports late; a module too few costs only time."""
LONGEST = 1 << 16
_PR_SET_PDEATHSIG = 1


class ZygoteDied(ParleyError):
    """Nothing can be forked any more."""


class Child:
    """A forked gateway; the part of `asyncio.subprocess.Process` that one needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.stderr = asyncio.StreamReader()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def returncode(self) -> int | None:
        """As `subprocess` has it: minus the signal that ended it."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, which: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, which)

    def end(self, code: int) -> None:
        """The zygote says so."""
        if not self._ended.done():
            self._ended.set_result(code)


class Zygote:
    """The near side of it. `open_zygote` makes one."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process, self._control = process, control
        self._children: dict[int, Child] = {}
        self._born: asyncio.Queue[Child | None] = asyncio.Queue()
        self._forking = asyncio.Lock()

    async def fork(self, *arguments: str, environment: Mapping[str, str], folder: Path) -> Child:
        """`parley ARGUMENTS` in a folder, with this environment alone; what it prints is lost, what it logs
        is read from `stderr`. Raises `ZygoteDied`."""
        loop = asyncio.get_running_loop()
        ours, theirs = os.pipe()
        asked = {"arguments": arguments, "environment": dict(environment), "folder": str(folder)}
        async with self._forking:
            try:
                socket.send_fds(self._control, [json.dumps(asked).encode()], [theirs])
            finally:
                os.close(theirs)
            child = await self._born.get()
        pipe = os.fdopen(ours, "rb", 0)
        if child is None:
            pipe.close()
            raise ZygoteDied("the zygote is dead; its last words are on standard error")
        reader = child.stderr
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        return child

    async def listen(self) -> None:
        """Hear who was born and who died, until it ends; with it end all its children."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if (pid := said.get("born")) is not None:
                child = self._children[pid] = Child(pid)
                self._born.put_nowait(child)
            else:
                self._children.pop(said["died"]).end(said["code"])
        for child in self._children.values():
            child.end(-signal.SIGKILL)
        self._born.put_nowait(None)


@asynccontextmanager
async def open_zygote() -> AsyncIterator[Zygote]:
    """Return when it has imported everything; at the end it and all its children are killed."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "bots.torture.zygote", str(theirs.fileno()), str(os.getpid())),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a terminal's Ctrl-C is for us
            )
        zygote = Zygote(process, ours)
        listening = asyncio.create_task(zygote.listen(), name="zygote")
        try:
            yield zygote
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await listening


def main() -> None:
    """The far side: fork when asked to, and say who died. Standard output is for the near side."""
    _die_with(int(sys.argv[2]))
    control = socket.socket(fileno=int(sys.argv[1]))
    for module in MODULES:
        importlib.import_module(module)
    assert threading.active_count() == 1, "a thread would not be there after a fork"
    gc.collect()
    gc.freeze()
    died, bell = socket.socketpair()
    for end in (died, bell):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(bell.fileno())
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(died, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is died:
                    died.recv(LONGEST)
                    _reap()
                elif not _fork(control):
                    return


def _fork(control: socket.socket) -> bool:
    """False when nobody asks any more."""
    asked, fds, _, _ = socket.recv_fds(control, LONGEST, 1)
    if not asked:
        return False
    zygote = os.getpid()
    if (pid := os.fork()) == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        _die_with(zygote)
        _live(json.loads(asked), fds[0])
    os.close(fds[0])
    _say(born=pid)
    return True


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            _say(died=found[0], code=os.waitstatus_to_exitcode(found[1]))


def _say(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _live(asked: Mapping[str, object], stderr: int) -> None:
    """The child's whole life; it never returns."""
    from bots.torture import victim

    code: int | str | None = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for ours, theirs in enumerate((nothing, nothing, stderr)):
            os.dup2(theirs, ours)
        os.setsid()
        os.chdir(str(asked["folder"]))
        _become(asked["arguments"], asked["environment"])
        victim.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code if isinstance(code, int) else code is not None)


def _become(arguments: object, environment: object) -> None:
    assert isinstance(arguments, Sequence)
    assert isinstance(environment, Mapping)
    sys.argv = ["parley", *arguments]
    os.environ.clear()
    os.environ.update(environment)


def _die_with(parent: int) -> None:
    """prctl(2), PR_SET_PDEATHSIG; elsewhere than on Linux only the parent's own end ends us."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(1)


if __name__ == "__main__":
    main()
