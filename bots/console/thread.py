"""Calls that may block for ever, such as a read from a pipe, made without holding up the event loop.

The threads are daemons on purpose: one that still waits for input never keeps the process from ending,
as a thread of an executor would.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """The result of `call`, or the exception it raised. When nobody waits any more, it is dropped."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def work() -> None:
        try:
            result = call()
        except Exception as error:
            _tell(loop, answer, answer.set_exception, error)
        else:
            _tell(loop, answer, answer.set_result, result)

    threading.Thread(target=work, name="console", daemon=True).start()
    return await answer


def _tell(
    loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[T]", settle: Callable[..., None], value: object
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop may be closed by now
        loop.call_soon_threadsafe(lambda: None if answer.done() else settle(value))
