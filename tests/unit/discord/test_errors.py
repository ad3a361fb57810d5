"""How sure we are, told from the library's and the transport's errors."""

from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from bots.discord.errors import translate_error, translated
from bots.discord.ids import (
    Cursor,
    interaction_of,
    lowest_id,
    made_at,
    nonce_of,
    read_cursor,
    read_receipt,
    receipt_of,
)
from bots.discord.library import HTTPException, RateLimited
from bots.discord.wire import decoded, flood_wait
from core.errors import Ambiguous, ChannelError, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable


def refusal(status: int, body: Any) -> HTTPException:
    return HTTPException(SimpleNamespace(status=status, reason="no"), body)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": 50035, "message": "Invalid Form Body"}, Rejected),
        (400, '{"code": 50035, "message": "text with a charset"}', Rejected),
        (401, {"code": 0, "message": "401: Unauthorized"}, Unauthorized),
        (401, {"code": 50027, "message": "Invalid Webhook Token"}, TargetGone),
        (403, {"code": 50007, "message": "Cannot send messages to this user"}, Undeliverable),
        (403, {"code": 50001, "message": "Missing Access"}, Undeliverable),
        (403, {"code": 50013, "message": "Missing Permissions"}, Undeliverable),
        (404, {"code": 10003, "message": "Unknown Channel"}, Undeliverable),
        (404, '{"code": 10003, "message": "Unknown Channel"}', Undeliverable),
        (404, {"code": 10008, "message": "Unknown Message"}, TargetGone),
        (404, {"code": 10015, "message": "Unknown Webhook"}, TargetGone),
        (408, "", Ambiguous),
        (429, "", NotSent),
        (500, "<html>", Ambiguous),
        (524, "", Ambiguous),
    ],
)
def test_what_a_refusal_means(status: int, body: Any, kind: type[ChannelError]) -> None:
    assert type(translate_error("POST /x", refusal(status, body))) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (aiohttp.ConnectionTimeoutError(), NotSent),
        (aiohttp.ServerDisconnectedError(), Ambiguous),
        (aiohttp.ClientOSError(104, "reset"), Ambiguous),
        (TimeoutError(), Ambiguous),
        (ValueError("x"), Ambiguous),
        (RateLimited(3.5), NotSent),
    ],
)
def test_only_what_was_never_written_is_certain(error: Exception, kind: type[ChannelError]) -> None:
    found = translate_error("POST /x", error)
    assert type(found) is kind
    assert found.retry_after == (3.5 if isinstance(error, RateLimited) else None)


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(Rejected, match=r"^chat 'x'$"), translated("POST /x"):
        raise Rejected("chat 'x'")


def test_how_long_a_flood_lasts() -> None:
    assert flood_wait({}, b'{"retry_after": 0.5}') == (0.5, False)
    assert flood_wait({}, b'{"retry_after": 3, "global": true}') == (3, True)
    assert flood_wait({"Retry-After": "7"}, b"<html>") == (7, True)
    assert flood_wait({}, b"<html>") == (60, True)
    assert decoded('{"id": "1"}') == {"id": "1"}
    assert decoded("<html>") == "<html>"


def test_ids_are_read_as_they_are_made() -> None:
    asked = interaction_of("1:2:to:ken")
    assert asked is not None
    assert read_receipt(receipt_of("9", asked)) == ("9", asked)
    assert read_receipt("9") == ("9", None)
    assert interaction_of("123") is None
    for cursor in (Cursor(message=5, direct=True), Cursor(message=5, direct=False)):
        assert read_cursor(str(cursor)) == cursor
    assert read_cursor("what?") is None


def test_ids_tell_the_time() -> None:
    at = made_at(175928847299117063)  # the example of the documentation
    assert at is not None
    assert at.isoformat(timespec="milliseconds") == "2016-04-30T11:18:25.796+00:00"
    assert lowest_id(at) <= 175928847299117063 < lowest_id(at) + (1 << 22)
    assert made_at(1001) is None


def test_the_nonce_is_the_key_and_short() -> None:
    assert nonce_of("a") == nonce_of("a") != nonce_of("b")
    assert len(nonce_of("x" * 500)) <= 25
