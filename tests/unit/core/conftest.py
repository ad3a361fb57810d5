"""What a test of a single room may watch."""

import sys
from collections.abc import Iterator

import pytest

from core.points import EVENT


class _Listener:
    """One hook for all tests, since a hook cannot be taken away again: it writes where it is told to."""

    def __init__(self) -> None:
        self.reached: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == EVENT and self.reached is not None:
            self.reached.append(str(arguments[0]))


@pytest.fixture(scope="session")
def listener() -> _Listener:
    listener = _Listener()
    sys.addaudithook(listener)
    return listener


@pytest.fixture
def reached(listener: _Listener) -> Iterator[list[str]]:
    """The names of the points that were reached, in order."""
    listener.reached = []
    yield listener.reached
    listener.reached = None
