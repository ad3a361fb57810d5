"""The one error of the embedded servers: they cannot be had, and why, in a line an operator can act on."""

from core.errors import ParleyError


class EmbeddedUnavailable(ParleyError):
    """The private servers did not start; `str(error)` is one line that names the fault and the mend."""
