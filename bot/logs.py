"""Structured logs, set up in one place, through which no token or key can pass."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"
LONG = 16  # a token's second half is redacted by itself too, when it is this long
# Anything shaped like a bot token goes, whether or not it is ours.
TOKEN_SHAPE = r"\d{6,12}(?::|%3[Aa])[A-Za-z0-9_-]{30,}"  # noqa: S105  a pattern, no password
# These log every URL they call, and Telegram's URLs carry the token; or they repeat what we log
# ourselves, or say at INFO what interests only their authors.
QUIET = (
    "httpx",
    "httpcore",
    "aiohttp.access",
    "aiosqlite",
    "alembic",
    "asyncio",
    "PIL",
    "procrastinate",
    "psycopg.pool",
    "uvicorn.error",
)
SELDOM_SECONDS = 60.0
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\n]")


class Redactor:
    """A last processor: takes the finished line and blots out every known secret, however it was escaped."""

    def __init__(self, secrets: Iterable[str]) -> None:
        texts: set[str] = set()
        for secret in filter(None, secrets):
            half = secret.partition(":")[2]
            texts |= {secret, half} if len(half) >= LONG else {secret}
        longest_first = sorted(texts, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(_spellings, longest_first), TOKEN_SHAPE]))

    def clean(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        return self._pattern.sub(REDACTED, text)

    def __call__(self, _logger: WrappedLogger, _name: str, line: EventDict | str) -> str:
        """Clean the line a renderer made; the signature is structlog's."""
        return self.clean(cast("str", line))


def _spellings(secret: str) -> str:
    """Return a pattern for `secret` (printable ASCII): plain, percent-encoded or escaped, however deep."""
    escapes = r"(?:\\|%5[Cc])*"
    return "".join(
        char if char.isalnum() else rf"{escapes}(?:{re.escape(char)}|%{ord(char):02X}|%{ord(char):02x})"
        for char in secret
    )


class _Unfailing(io.TextIOBase):
    """Does without the lines that cannot be written: a bot whose disk is full or whose reader is gone must live on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write if possible."""
        with suppress(OSError, ValueError):  # ValueError: closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if possible."""
        with suppress(OSError, ValueError):  # ValueError: closed
            self._stream.flush()


class _Handler(logging.StreamHandler[TextIO]):
    """Python's own handler prints a record it cannot format with its raw arguments; this one names it only."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the base class's name
        self.stream.write(f"a log record of {record.name} (line {record.lineno}) could not be written\n")


class _Seldom(logging.Filter):
    """Lets each kind of line through once in SELDOM_SECONDS.

    psycopg's pool has one for every attempt to reach a server that is away, and nobody but it knows why it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this line is not of a kind that was let through lately."""
        now = time.monotonic()
        if now < self._next.get(record.msg, now):
            return False
        self._next[record.msg] = now + SELDOM_SECONDS
        return True


def _one_line(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Escape control characters in the event, so that no outside text can forge a line."""
    event["event"] = CONTROL.sub(lambda match: repr(match[0])[1:-1], str(event.get("event", "")))
    return event


def configure(level: str, style: str, secrets: Iterable[str], stream: TextIO | None = None) -> Redactor:
    """Send structlog's and the standard library's logs to `stream` (default: standard error).

    `level` is a standard level's name, `style` "console" or "json". Uncaught exceptions go the same
    way. Returns the redactor, for the few lines that are printed rather than logged.
    """
    stream = stream or sys.stderr
    colours = stream.isatty()
    stream = cast("TextIO", _Unfailing(stream))
    redactor = Redactor(secrets)
    number = logging.getLevelNamesMapping()[level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _one_line,
    ]
    finish: list[Processor] = [_renderer(style, colours=colours), redactor]
    structlog.configure(
        processors=shared + finish,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
    )
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    logging.captureWarnings(capture=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    logging.getLogger("psycopg.pool").filters = [_Seldom()]
    sys.excepthook = _log_uncaught
    return redactor


def _renderer(style: str, *, colours: bool) -> Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    plain = structlog.dev.plain_traceback  # the rich one would show local variables
    return structlog.dev.ConsoleRenderer(colors=colours, repr_native_str=True, exception_formatter=plain)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what nothing caught, in place of Python's own print, which redacts nothing."""
    structlog.get_logger().critical("uncaught exception", exc_info=(kind, error, trace))
