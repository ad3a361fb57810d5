"""How sure we are, told from the transport's error behind the library's."""

import httpx
import pytest
from telegram.error import NetworkError, TelegramError, TimedOut

from bots.telegram.errors import translate_error, translated
from core.errors import Ambiguous, ChannelError, NotSent, Rejected


def caused(error: TelegramError, cause: Exception | None) -> TelegramError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (caused(TimedOut(), httpx.PoolTimeout("")), NotSent),
        (caused(TimedOut(), httpx.ConnectTimeout("")), NotSent),
        (caused(NetworkError("x"), httpx.ConnectError("")), NotSent),
        (caused(NetworkError("x"), httpx.ProxyError("")), NotSent),
        (caused(TimedOut(), httpx.ReadTimeout("")), Ambiguous),
        (caused(TimedOut(), httpx.WriteTimeout("")), Ambiguous),
        (caused(NetworkError("x"), httpx.ReadError("")), Ambiguous),
        (caused(NetworkError("x"), httpx.WriteError("")), Ambiguous),
        (caused(NetworkError("x"), httpx.RemoteProtocolError("")), Ambiguous),
        (caused(NetworkError("x"), None), Ambiguous),
        (KeyError("result"), Ambiguous),
    ],
)
def test_only_what_was_never_written_is_certain(error: Exception, kind: type[ChannelError]) -> None:
    assert type(translate_error("sendMessage", error)) is kind


def test_our_own_errors_pass_as_they_are() -> None:
    with pytest.raises(Rejected, match=r"^chat 'x'$"), translated("sendMessage"):
        raise Rejected("chat 'x'")


def test_reason_names_the_method_and_quotes_no_text() -> None:
    error = caused(NetworkError("httpx.ReadError: /bot1:secret/x"), httpx.ReadError("/bot1:secret/x"))
    assert str(translate_error("sendMessage", error)) == "sendMessage: NetworkError (ReadError)"
