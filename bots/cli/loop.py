"""Runs a verb: the event loop, and what an error is for whoever typed the verb."""

import asyncio
import gc
import sys
from collections.abc import Coroutine
from typing import Any

from config.settings import SettingsError
from core.errors import ParleyError, StoreError


def run_verb(verb: Coroutine[Any, Any, int | None]) -> int:
    """The verb's exit code; 2 for wrong settings, 1 for what else the house knows to be wrong."""
    # What is imported stays: to look through it for garbage again and again would be for nothing.
    gc.freeze()
    gc.enable()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(verb) or 0
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except StoreError as error:
        print(f"parley: the database: {error}; `parley doctor` says more", file=sys.stderr)
        return 1
    except ParleyError as error:
        print(f"parley: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
