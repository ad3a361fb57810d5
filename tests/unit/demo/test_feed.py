"""Pages that listen: told everything, never waited for, and let go at once."""

import pytest

from bots.demo.feed import Event, Feed, TooManyPages


def event(number: int) -> Event:
    return Event(kind="message", body={"number": number})


async def test_a_page_hears_what_is_known_and_then_what_happens() -> None:
    feed = Feed()
    stream = feed.listen(lambda: [event(1)])
    feed.publish(event(2))
    assert await anext(stream) == b'event: message\ndata: {"number":1}\n\n'
    assert await anext(stream) == b'event: message\ndata: {"number":2}\n\n'
    await stream.aclose()
    assert feed.listeners == 0


async def test_a_page_that_does_not_read_loses_its_stream_and_holds_up_nobody() -> None:
    feed = Feed(room=3)
    slow, quick = feed.listen(lambda: ()), feed.listen(lambda: ())
    heard = []
    for number in range(10):
        feed.publish(event(number))
        heard.append(await anext(quick))
    assert len(heard) == 10
    assert feed.listeners == 1
    assert len([line async for line in slow]) < 3


async def test_closing_ends_every_stream_and_those_to_come() -> None:
    feed = Feed()
    stream = feed.listen(lambda: ())
    feed.close()
    assert [line async for line in stream] == []
    assert [line async for line in feed.listen(lambda: ())] == []


async def test_more_pages_than_one_person_opens_are_refused() -> None:
    feed = Feed(most=1)
    stream = feed.listen(lambda: ())
    with pytest.raises(TooManyPages):
        feed.listen(lambda: ())
    feed.close()
    assert [line async for line in stream] == []
