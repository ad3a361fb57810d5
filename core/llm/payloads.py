"""Cuts the body of a model's response into JSON payloads, however the server chose to send it.

Server-sent events are read as the WHATWG standard has them
(https://html.spec.whatwg.org/multipage/server-sent-events.html), with two leniencies: the last event
counts without its blank line, and an event of blanks is none. A body that begins like a JSON document is
one payload, whatever was asked for and whatever its content type says. Bytes may arrive cut anywhere.
"""

from collections.abc import Iterable

BOM = b"\xef\xbb\xbf"


class EventReader:
    """Bytes in, the data of finished events out."""

    __slots__ = ("_after_cr", "_data", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return []
        # A CR at the end of the last chunk already ended its line; this LF belongs to it.
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        lines = (self._rest + chunk).splitlines(keepends=True)
        self._rest = b""
        if lines and not lines[-1].endswith((b"\n", b"\r")):
            self._rest = lines.pop()
        self._after_cr = not self._rest and bool(lines) and lines[-1].endswith(b"\r")
        return self._events(line.rstrip(b"\r\n") for line in lines)

    def close(self) -> list[bytes]:
        """What stands there when the body ends without a blank line."""
        rest, self._rest = self._rest, b""
        return self._events((rest, b""))

    def _events(self, lines: Iterable[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
        return [event for event in events if event.strip()]


class Payloads:
    """Bytes in, JSON documents (or `[DONE]`) out; events or a plain document are told apart by the first
    byte."""

    __slots__ = ("_document", "_events", "_head")

    def __init__(self) -> None:
        self._head = b""
        self._document: list[bytes] | None = None
        self._events: EventReader | None = None

    def feed(self, chunk: bytes) -> list[bytes]:
        if self._events is not None:
            return self._events.feed(chunk)
        if self._document is not None:
            self._document.append(chunk)
            return []
        return self._begin(self._head + chunk)

    def close(self) -> list[bytes]:
        if self._events is not None:
            return self._events.close()
        if self._document is not None:
            return [b"".join(self._document)]
        return []

    def _begin(self, head: bytes) -> list[bytes]:
        text = head.removeprefix(BOM).lstrip()
        if not text or BOM.startswith(head):
            self._head = head
            return []
        if text.startswith((b"{", b"[", b"<")):
            self._document = [text]
            return []
        self._events = EventReader()
        return self._events.feed(text)
