"""The heap of a process that is ready: what the start has made stays, and need not be looked at again.

CPython's collector walks everything that lives whenever the young have doubled a quarter of it; with the
libraries of a gateway loaded that is a fifth of a turn's CPU, and a pause of a tenth of a second for
everybody. Counting references frees nearly all that a turn leaves behind; cycles are still found, in rounds
of ten thousand new objects. See https://docs.python.org/3/library/gc.html.
"""

import gc

YOUNG = 10_000


def settle() -> None:
    """Call when the process is ready to serve; once is enough, and all that it does."""
    if gc.get_threshold()[0] == YOUNG:
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
