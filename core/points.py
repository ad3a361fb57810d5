"""The moments of a message's walk at which a process may die: each has a name in the code.

`reach` is an audit event of the interpreter (https://docs.python.org/3/library/sys.html#sys.audit): without
a hook it does nothing, at the price of a call. The torture hooks itself in and kills the process there; a
test holds this table against the places in the code.
"""

import sys
from typing import Final, Literal

# fmt: off
Point = Literal[
    "I1", "I2", "I3", "I4", "I5",
    "T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8",
    "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8",
    "B5",
]
# fmt: on

POINTS: Final[dict[Point, str]] = {
    "I1": "received, not accepted",
    "I2": "a commit is on its way to the database",
    "I3": "committed, not acknowledged",
    "I4": "acknowledged",
    "I5": "a page of history committed, the cursor not moved",
    "T1": "claimed",
    "T2": "admitted",
    "T3": "the model call reserved",
    "T4": "before the model is called",
    "T5": "after the first token",
    "T6": "the stream has ended",
    "T7": "before the answer is committed",
    "T8": "the answer is committed",
    "D1": "a part is written down as sending",
    "D2": "a send is on its way",
    "D3": "a send was taken by the platform, its receipt not recorded",
    "D4": "the second part of several is recorded",
    "D5": "before a preview is painted",
    "D6": "the last edit is done, not recorded",
    "D7": "waiting because the platform said so",
    "D8": "all parts are sent, the turn not closed",
    "B5": "a migration has run, not committed",
}

EVENT: Final = "parley.point"


def reach(point: Point) -> None:
    """The process is at this point. A hook may end it here, or (I2, D2) a moment later."""
    sys.audit(EVENT, point)
