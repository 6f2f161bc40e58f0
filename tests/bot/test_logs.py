"""No token and no key can reach the logs, whichever way it tries."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import warnings
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import psycopg
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool

from bot import logs
from bot.logs import REDACTED, Redactor, _Handler, configure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

TOKEN = "4242424242:AAFakeFakeFakeFakeFakeFakeFakeFake_-x"
KEY = 'sk-"quoted"/and\\slashed'


class Nested:
    """Shows the token only in its repr."""

    def __repr__(self) -> str:
        return f"<Client base_url=https://api.telegram.org/bot{TOKEN}/getMe key={KEY!r}>"


@pytest.fixture(params=["console", "json"])
def out(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure("DEBUG", request.param, [TOKEN, KEY], stream)
    yield stream
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def assert_clean(out: io.StringIO, hits: int = 1) -> None:
    text = out.getvalue()
    assert text.count(REDACTED) >= hits, text
    for secret in (TOKEN, KEY, TOKEN.partition(":")[2], json.dumps(KEY)[1:-1], repr(KEY)[1:-1]):
        assert secret not in text


def test_a_token_in_a_url(out: io.StringIO) -> None:
    """Telegram's URLs carry the token in their path, plain or percent-encoded."""
    log = structlog.get_logger()
    log.info("calling", url=f"https://api.telegram.org/bot{TOKEN}/getMe")
    escaped = TOKEN.replace(":", "%3A")
    log.info("calling", url=f"https://proxy/?to=bot{escaped}")
    assert_clean(out, 2)


def test_a_secret_in_an_exception_and_its_cause(out: io.StringIO) -> None:
    """A traceback is redacted with its message and the messages of its causes."""
    try:
        raise ValueError(KEY) from OSError(TOKEN)  # noqa: TRY301  the point is to raise and log here
    except ValueError:
        structlog.get_logger().exception("failed")
        logging.getLogger("some.library").exception("failed too")
    assert "Traceback" in out.getvalue()
    assert_clean(out, 4)


def test_a_secret_deep_in_values(out: io.StringIO) -> None:
    """Nested containers and reprs are covered, since the finished line is what is cleaned."""
    structlog.get_logger().warning("state", deep={"a": [Nested(), (KEY,)]}, **{TOKEN: 1})
    assert_clean(out, 3)


def test_standard_logging_is_routed_and_cleaned(out: io.StringIO) -> None:
    """Libraries' own loggers come out in the same shape, arguments included."""
    logging.getLogger("telegram.ext").error("polling %s failed: %r", TOKEN, Nested())
    logging.getLogger("some.library").info("started with %s", KEY)
    assert_clean(out, 3)


async def test_httpx_says_nothing_of_its_urls(out: io.StringIO) -> None:
    """The HTTP client logs each URL at INFO and httpcore more at DEBUG: both are silenced, not only redacted."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        await client.get(f"https://api.telegram.org/bot{TOKEN}/getMe")
    assert out.getvalue() == ""


async def test_a_lost_task_is_logged_cleanly(out: io.StringIO) -> None:
    """What asyncio reports about a task nobody awaited goes through the same door."""
    asyncio.get_running_loop().call_exception_handler({"message": TOKEN, "exception": OSError(KEY)})
    assert_clean(out, 2)


def test_uncaught_exceptions_and_warnings(out: io.StringIO) -> None:
    """Python's last words would be printed raw; they are logged instead."""
    error = RuntimeError(TOKEN)
    sys.excepthook(RuntimeError, error, error.__traceback__)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(capture=True)
        warnings.warn(KEY, stacklevel=1)
    assert_clean(out, 2)


def test_a_broken_record_is_not_dumped(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """A record whose arguments do not fit is named; Python would print its raw arguments."""
    ours = next(handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler))
    ours.handle(logging.LogRecord("clumsy", logging.ERROR, __file__, 1, "%d pictures", (TOKEN,), None))
    assert "clumsy" in out.getvalue()
    assert TOKEN not in out.getvalue() + capsys.readouterr().err


def test_outside_text_cannot_forge_a_line(out: io.StringIO) -> None:
    """Line ends and escape sequences in what people send stay on one line, escaped."""
    structlog.get_logger().info("said\n2026 [info] forged", words="a\n\x1b[31mb")
    logging.getLogger("lib").warning("one\r\ntwo")
    assert out.getvalue().count("\n") == 2
    assert "\x1b[31m" not in out.getvalue()


def test_json_lines_are_json_with_the_bound_context() -> None:
    """A JSON line carries level, time, event and whatever was bound, such as the job's id."""
    stream = io.StringIO()
    previous = sys.excepthook
    configure("INFO", "json", [], stream)
    with structlog.contextvars.bound_contextvars(job=7):
        structlog.get_logger().info("submitted", provider="gptge")
    structlog.get_logger().debug("too fine")
    structlog.reset_defaults()
    sys.excepthook = previous
    logging.captureWarnings(capture=False)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["job"], line["provider"]) == ("submitted", "info", 7, "gptge")
    assert line["timestamp"].endswith("Z")


def test_strangers_tokens_are_redacted_too() -> None:
    """Anything shaped like a bot token is blotted out without being known."""
    assert Redactor([]).clean(f"bot{TOKEN}/x") == f"bot{REDACTED}/x"
    assert Redactor([""]).clean("nothing to hide") == "nothing to hide"


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6),
    spell=st.lists(st.sampled_from([json.dumps, repr, quote, str]), max_size=3),
    before=st.text(),
)
def test_any_secret_however_deep_it_is_quoted(secret: str, spell: list[Callable[[str], str]], before: str) -> None:
    """Whatever printable characters a key is made of, no nesting of reprs, JSON and URLs brings it past."""
    text = f"{secret} {before}"
    for each in spell[: 1 + spell.index(quote)] if quote in spell else spell:  # nobody quotes on after a URL
        text = each(text)
    cleaned = Redactor([secret]).clean(text)
    assert REDACTED in cleaned
    assert secret not in cleaned.replace(REDACTED, "\0" * 20) or secret in before


def test_a_log_that_cannot_be_written_harms_nobody() -> None:
    """With its disk full, or nobody reading, the log loses lines; who logs them goes on."""

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    configure("INFO", "json", [], Full())
    structlog.get_logger().warning("a line")
    logging.getLogger("another").warning("a line")


async def test_a_server_that_is_away_is_one_line(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the pool tries to reach it, the log says once, and once more after a while, why it cannot."""
    tried = asyncio.Semaphore(0)

    class _Away(psycopg.AsyncConnection[tuple[object, ...]]):
        @classmethod
        async def connect(cls, *_: object, **__: object) -> Self:
            tried.release()
            raise psycopg.OperationalError("password authentication failed")

    async def fail(times: int) -> None:
        async with AsyncConnectionPool("", connection_class=_Away, min_size=3, open=False):
            for _ in range(times):
                await tried.acquire()

    await fail(3)
    assert out.getvalue().count("password authentication failed") == 1
    monkeypatch.setattr(logs, "SELDOM_SECONDS", 0.0)
    logs.configure("DEBUG", "json", [], out)
    await fail(3)
    assert out.getvalue().count("password authentication failed") > 1
