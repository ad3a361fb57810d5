"""The log: structlog over the standard library's, as JSON or on a console, without secrets.

Every line of every logger, our own and the libraries', leaves through the one handler that `set_up` puts on
the root; there it gets its UTC time, the ids bound by `structlog.contextvars`, and passes the redaction,
exceptions and extra fields too. What is worth a line is left to whoever writes it.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Protocol, TextIO
from uuid import UUID

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.redaction import HIDDEN, redactor

# They log requests with tokens in the URL, wrong secrets and whole bodies below this level.
QUIET = (
    "httpx", "httpx2", "httpcore", "httpcore2", "openai", "telegram", "discord", "slack_bolt", "slack_sdk",
    "uvicorn.access", "alembic",
)  # fmt: skip
DEPTH_MAX = 8
WORD_LENGTH_MAX = 32
"""Of keys, events, levels and names: they come again and again, and what is made of them is remembered."""
_SECRET_NAME = re.compile(r"(?i)(^|[_-])(token|secret|password|passwd|api[_-]?key|authorization|cookie)$")


class LogSettings(Protocol):
    """What `set_up` wants to know: `level` "info", `format` "auto", "json" or "console"."""

    @property
    def level(self) -> str: ...
    @property
    def format(self) -> str: ...


def set_up(settings: LogSettings, secrets: Iterable[str], stream: TextIO | None = None) -> None:
    """Send every line of this process to `stream`, without the exact values of `secrets`.

    Without a stream it is standard error as it is now. Called again, it replaces what was set up before."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
    ]
    handler = RootHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                _redaction(redactor(secrets)),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _renderer(settings.format, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


class RootHandler(logging.StreamHandler[TextIO]):
    """Writes lines; one that cannot be formatted is named but never shown: it passed no redaction."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        try:
            self.stream.write(
                f"a line from {record.name} ({record.pathname}:{record.lineno}) could not be written\n"
            )
        except (OSError, ValueError):
            return  # nobody reads the stream any more


def _renderer(form: str, stream: TextIO) -> Processor:
    terminal = stream.isatty()
    if form == "json" or (form == "auto" and not terminal):
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    # The plain traceback: the pretty ones show local variables, and break a token over two lines.
    return structlog.dev.ConsoleRenderer(
        colors=terminal and not os.environ.get("NO_COLOR"),
        exception_formatter=structlog.dev.plain_traceback,
    )


def _redaction(redact: Callable[[str], str]) -> Processor:
    word = lru_cache(maxsize=1000)(redact)
    is_secret = lru_cache(maxsize=1000)(_SECRET_NAME.search)

    def text(value: str) -> str:
        return word(value) if len(value) <= WORD_LENGTH_MAX else redact(value)

    def walk(value: Any, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, UUID):
            return str(value)
        if isinstance(value, dict) and depth < DEPTH_MAX:
            return {text(str(key)): named(str(key), inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH_MAX:
            return [walk(inner, depth + 1) for inner in value]
        return text(repr(value) if isinstance(value, BaseException | bytes) else str(value))

    def named(key: str, value: Any, depth: int) -> Any:
        return HIDDEN if value and isinstance(value, str) and is_secret(key) else walk(value, depth)

    def processor(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {key: named(key, value, 0) for key, value in event.items()}

    return processor
