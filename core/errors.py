"""Every error the house knows, from broad to narrow.

    ParleyError
    ├── ChannelError            something went wrong while speaking to a platform
    │   ├── NotSent             nothing went out; repeating may help, after `retry_after`
    │   ├── Rejected            nothing went out and never will in this form
    │   │   └── TargetGone      the message to edit is not there any more
    │   ├── Undeliverable       the chat is closed to us: blocked, kicked, deleted
    │   ├── Unauthorized        the platform does not accept our credentials
    │   └── Ambiguous           it may have gone out or not
    ├── ModelError              a model gave no (whole) answer
    │   ├── ModelUnavailable    timeout, overload, network: another attempt or model may help
    │   ├── ModelRefused        the vendor will not take this request: no repeat of it helps
    │   └── ModelCut            the stream broke after text had come
    └── StoreError              Postgres did not take or give what we asked
        ├── StoreUnavailable    it is away, or the queue to it is full
        ├── RowRefused          this row can never be written
        ├── LeaseLost           somebody else works on the conversation now: stop
        └── Overtaken           what was to be answered has changed: look again

Foreign exceptions are translated into these once, at the edge that talks to the library. `public`
is the only text of an error that a chat user may see; `str(error)` is for the operator.
"""

from typing import ClassVar


class ParleyError(Exception):
    """The root. `retriable`: may the same thing be tried again as it is?"""

    retriable: ClassVar[bool] = False
    public: ClassVar[str] = "Something went wrong on my side. Please try again."


class ChannelError(ParleyError):
    """A call to a platform failed. `certain`: do we know that nothing went out?"""

    certain: ClassVar[bool] = True

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class NotSent(ChannelError):
    """Nothing was written, or the platform said "not now"."""

    retriable = True


class Rejected(ChannelError):
    """The platform understood and refused this very message."""


class TargetGone(Rejected):
    """The message that should be edited does not exist or may not be edited any more."""


class Undeliverable(ChannelError):
    """The chat takes nothing from us any more."""


class Unauthorized(ChannelError):
    """The platform refused our credentials."""


class Ambiguous(ChannelError):
    """The request was written and no believable answer came back."""

    certain = False


class ModelError(ParleyError):
    """A model call ended without a whole answer."""

    public = "I could not get an answer from the model just now. Please try again in a moment."

    def __init__(self, reason: str, *, code: str = "", retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.retry_after = retry_after


class ModelUnavailable(ModelError):
    """The vendor is slow, overloaded or away."""

    retriable = True


class ModelRefused(ModelError):
    """The vendor refused the request: bad key, unknown model, too long, content."""


class ModelCut(ModelError):
    """The connection ended in the middle of the answer."""

    retriable = True


class StoreError(ParleyError):
    """Postgres did not take or give what we asked."""

    public = "I cannot reach my memory just now. Please try again in a moment."


class StoreUnavailable(StoreError):
    """Postgres is away, refuses, or too much waits for it already."""

    retriable = True


class RowRefused(StoreError):
    """The row itself is wrong; writing it again would fail again."""


class LeaseLost(StoreError):
    """The fencing token is old: another instance holds the conversation."""


class Overtaken(StoreError):
    """A message that this write takes was edited or deleted since it was handed out. Nothing was written."""
