"""The log's lines: their form, their ids, and that no secret leaves by any way, in either format."""

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
import structlog

from config.logs import QUIET, set_up
from tests.unit.config.test_redaction import CREDENTIALS, PARTS

FORMATS = ("json", "console")
EXACT = "nobody-knows-this"


@dataclass(frozen=True)
class Wanted:
    level: str = "debug"
    format: str = "json"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _log_restored() -> Iterator[None]:
    """The root logger is the process's: what a test sets up on it goes with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(params=FORMATS)
def stream(request: pytest.FixtureRequest) -> io.StringIO:
    written = io.StringIO()
    set_up(Wanted(format=request.param), [EXACT], written)
    return written


def clean(stream: io.StringIO) -> str:
    """What was written; fails when a part of any credential is in it, or when nothing was taken out."""
    text = stream.getvalue()
    assert not any(part in text for part in (*PARTS, EXACT)), text
    assert "***" in text
    return text


ALL = pytest.mark.parametrize("secret", [*CREDENTIALS.values(), EXACT], ids=[*CREDENTIALS, "exact"])


@ALL
def test_in_a_librarys_message_and_arguments(stream: io.StringIO, secret: str) -> None:
    logging.getLogger("somebody.else").info("HTTP Request: %s %r", secret, [secret])
    assert "HTTP Request" in clean(stream)


@ALL
def test_in_our_event_and_fields(stream: io.StringIO, secret: str) -> None:
    class Thing:
        def __repr__(self) -> str:
            return f"<Thing {secret}>"

    log = structlog.get_logger("ours")
    log.info(
        f"went to {secret}",
        url=secret,
        deep={"list": [(secret,), {secret}]},
        thing=Thing(),
        data=secret.encode(),
    )
    assert "went to" in clean(stream)


@ALL
def test_in_an_exception_its_cause_and_its_notes(stream: io.StringIO, secret: str) -> None:
    try:
        try:
            raise OSError(secret)
        except OSError as cause:
            error = ValueError(f"cannot reach {secret}")
            error.add_note(secret)
            raise error from cause
    except ValueError:
        logging.getLogger("theirs").exception("failed")
        structlog.get_logger("ours").exception("failed")
    text = clean(stream)
    assert text.count("cannot reach") == 2
    assert text.count("Traceback") == 4


@ALL
def test_in_an_exception_given_as_a_field(stream: io.StringIO, secret: str) -> None:
    structlog.get_logger("ours").warning("not sent", error=ValueError(secret))
    clean(stream)


@ALL
def test_in_extra_fields_and_bound_ids(stream: io.StringIO, secret: str) -> None:
    with structlog.contextvars.bound_contextvars(source=secret):
        logging.getLogger("theirs").warning("hello", extra={"url": secret})
    assert "hello" in clean(stream)


def test_a_field_named_like_a_secret_is_hidden_whatever_it_holds(stream: io.StringIO) -> None:
    log = structlog.get_logger("ours")
    log.info("x", bot_token="short", headers={"Cookie": "short"}, first_token_ms=1234567, tokens=7654321)
    text = clean(stream)
    assert "1234567" in text
    assert "7654321" in text


@pytest.mark.parametrize("form", FORMATS)
def test_a_line_that_cannot_be_formatted_is_named_but_not_shown(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    set_up(Wanted(format=form), [EXACT], stream)  # here, so that the test runner's own handlers are off
    logging.getLogger("theirs").info("%d", EXACT)
    named = r"a line from theirs \(.*test_logs\.py:\d+\) could not be written\n"
    assert re.fullmatch(named, stream.getvalue())
    assert EXACT not in "".join(capsys.readouterr())


def test_a_json_line_has_time_level_logger_and_the_bound_ids() -> None:
    stream = io.StringIO()
    set_up(Wanted(), [], stream)
    with structlog.contextvars.bound_contextvars(conversation="c1", turn=7):
        structlog.get_logger("ours").info("answered", ms=3, user=UUID(int=7))
        logging.getLogger("theirs").info("did %s", "this", extra={"more": "x"})
    logging.getLogger("theirs").info("later")
    ours, theirs, later = map(json.loads, stream.getvalue().splitlines())
    for line in (ours, theirs, later):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    ids = {"conversation": "c1", "turn": 7}
    assert (
        ours
        == {"event": "answered", "ms": 3, "user": str(UUID(int=7)), "level": "info", "logger": "ours"} | ids
    )
    assert theirs == {"event": "did this", "more": "x", "level": "info", "logger": "theirs"} | ids
    assert later == {"event": "later", "level": "info", "logger": "theirs"}


def test_auto_is_colour_on_a_terminal_and_json_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        set_up(Wanted(format="auto"), [], stream)
        structlog.get_logger("ours").info("hello")
    assert "\x1b[" in terminal.getvalue()
    assert json.loads(pipe.getvalue())["event"] == "hello"
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    set_up(Wanted(format="auto"), [], plain)
    structlog.get_logger("ours").info("hello")
    assert "\x1b[" not in plain.getvalue()


def test_the_level_holds_for_all_and_clients_keep_quiet() -> None:
    stream = io.StringIO()
    set_up(Wanted(level="info"), [], stream)
    structlog.get_logger("ours").debug("no")
    logging.getLogger("theirs").debug("no")
    for name in ("httpx", "httpx2", "httpcore", "openai._base_client", "telegram.ext", "discord.http"):
        logging.getLogger(name).info("no")
    logging.getLogger("slack_sdk.web").info("no")
    logging.getLogger("httpx").warning("yes")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]
    set_up(Wanted(level="error"), [], stream)
    logging.getLogger("httpx").warning("no")
    assert "no" not in stream.getvalue()


def test_set_up_again_replaces_the_handler() -> None:
    first, second = io.StringIO(), io.StringIO()
    set_up(Wanted(), [], first)
    set_up(Wanted(), [], second)
    logging.getLogger("theirs").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_a_closed_stream_stops_nobody() -> None:
    stream = io.StringIO()
    set_up(Wanted(), [], stream)
    stream.close()
    logging.getLogger("theirs").info("nobody reads this")
