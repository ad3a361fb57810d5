"""Events come out the same however the network cut them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.llm.payloads import EventReader, Payloads

LINE_END = st.sampled_from([b"\n", b"\r\n", b"\r"])
DATA = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])).map(str.encode)
NOISE = st.sampled_from([b": ping", b"event: message", b"id: 7", b"retry: 5", b"unknown", b"data_"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A body of events, and the data that must come out of it."""
    # One line end for a whole body: a CR before an LF would be one end and not two.
    line_end = draw(LINE_END)
    body, expected = b"", []
    for _ in range(draw(st.integers(0, 6))):
        lines = draw(st.lists(DATA, min_size=1, max_size=3))
        written = [b"data:" + draw(st.sampled_from([b" ", b""])) + line for line in lines]
        noise = draw(st.lists(NOISE, max_size=2))
        for line in [*noise, *written, b""]:
            body += line + line_end
        expected.append(b"\n".join(line.removeprefix(b"data:").removeprefix(b" ") for line in written))
    return body, [event for event in expected if event.strip()]


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@given(stream=streams(), places=st.lists(st.integers(0, 10_000), max_size=30))
def test_cuts_anywhere_change_nothing(stream: tuple[bytes, list[bytes]], places: list[int]) -> None:
    body, expected = stream
    reader = EventReader()
    events = [event for chunk in cut(body, places) for event in reader.feed(chunk)]
    assert events == expected
    assert reader.close() == []


@given(stream=streams())
def test_an_event_comes_out_with_its_last_byte(stream: tuple[bytes, list[bytes]]) -> None:
    body, expected = stream
    reader = EventReader()
    events = [event for byte in body.strip(b"\r\n") for event in reader.feed(bytes([byte]))]
    assert events + reader.close() == expected


@given(places=st.lists(st.integers(0, 10_000), max_size=10), blanks=st.sampled_from([b"", b"\n \r\n"]))
def test_a_plain_document_is_one_payload(places: list[int], blanks: bytes) -> None:
    document = b'{"a": "data: x\n\ndata: y\n\n"}'
    payloads = Payloads()
    assert not [payload for chunk in cut(blanks + document, places) for payload in payloads.feed(chunk)]
    assert payloads.close() == [document]


@given(places=st.lists(st.integers(0, 10_000), max_size=10))
def test_a_byte_order_mark_is_no_part_of_the_first_line(places: list[int]) -> None:
    payloads = Payloads()
    events = [event for chunk in cut(b"\xef\xbb\xbfdata: 1\n\n", places) for event in payloads.feed(chunk)]
    assert events == [b"1"]


def test_nothing_is_no_payload() -> None:
    assert Payloads().close() == []
