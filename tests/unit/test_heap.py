"""The heap of a process that is ready. In a process of its own, since a collector is shared."""

import subprocess
import sys

SCRIPT = """
import gc
from bots.heap import YOUNG, settle

settle()
first = gc.get_freeze_count()
kept = [[] for _ in range(1000)]
settle()
print(first > 0, gc.get_freeze_count() <= first, gc.get_threshold()[0] == YOUNG)
"""


def test_the_heap_is_settled_once() -> None:
    done = subprocess.run((sys.executable, "-c", SCRIPT), capture_output=True, check=True, text=True)
    assert done.stdout == "True True True\n"
