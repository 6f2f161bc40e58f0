"""What a refusal means: HTTP codes (the body's own or the answer's), states, and how vendors word what has no code."""

from __future__ import annotations

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from imaging.errors import (
    BadReply,
    Busy,
    ImagingError,
    KeyRefused,
    LinkUnreachable,
    NoFace,
    NotAPicture,
    OutOfCredit,
    PictureTooLarge,
    Rejected,
    TaskFailed,
    Unavailable,
)
from imaging.wire import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imaging.provider import Task

_MEANINGS: Final[Mapping[int, type[ImagingError]]] = {
    HTTPStatus.UNAUTHORIZED: KeyRefused,
    HTTPStatus.PAYMENT_REQUIRED: OutOfCredit,
    HTTPStatus.FORBIDDEN: KeyRefused,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: PictureTooLarge,
}

_NO_CREDIT: Final = re.compile("insufficient|out of credit|no credit|余额|额度", re.IGNORECASE)
"""How an empty account may be worded (a guess: no vendor documents it)."""

_NO_FACE: Final = re.compile(r"no face|face not", re.IGNORECASE)
"""How a missing face may be worded (our engine's wire.NO_FACE, and a guess at vendors')."""

LONGEST_WAIT: Final = 3600.0
"""Seconds: no Retry-After is believed past this."""


def meaning(status: int, message: str, raw: bytes, wait: float | None, unknown: type[ImagingError]) -> ImagingError:
    """Turn a code other than 200 into an error of the tree; `unknown` is what 404 means."""
    said = f"HTTP {status} {message}".rstrip()
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(said)
    if _NO_CREDIT.search(raw[:4096].decode(errors="replace")):
        return OutOfCredit(said)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Busy(said, retry_after=wait)
    if status == HTTPStatus.NOT_FOUND:
        return unknown(said)
    default = Rejected if status >= HTTPStatus.MULTIPLE_CHOICES else BadReply
    return _MEANINGS.get(status, default)(said)


def failed_task(operation: str, task: Task) -> ImagingError:
    """Turn a task with a negative state into an error of the tree (API_CONTRACT.md, States)."""
    said = f"state {task.state} {task.detail or ''} {task.error or ''}".rstrip()
    if operation == "idphoto" and _lacks_face(task.detail, task.error):
        return NoFace(said)
    match task.state:
        case State.LINK_UNREACHABLE:
            return LinkUnreachable(said)
        case State.TOO_LARGE:
            return PictureTooLarge(said)
        case State.NOT_A_PICTURE:
            return NotAPicture(said)
    return TaskFailed(said, state=task.state)


def _lacks_face(*texts: str | None) -> bool:
    """Say whether a failed task's own words mean that it found no face."""
    return any(text and _NO_FACE.search(text) for text in texts)


def tame(text: str | None, key: str) -> str:
    """Shorten what a provider says for our logs: without our key (some repeat it), URLs, or what could forge a line."""
    safe = (text or "").replace(key, "***") if key else text or ""
    line = "".join(char if char.isprintable() else " " for char in safe)
    return re.sub(r"\S+://\S+", "<URL>", line)[:200]


def retry_after(text: str | None) -> float | None:
    """Read Retry-After, seconds or an HTTP date, as 0..LONGEST_WAIT seconds from now; None when unreadable."""
    if not text:
        return None
    try:
        seconds = float(text) if text.isascii() and text.isdigit() else _seconds_until(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _seconds_until(date: str) -> float:
    at = parsedate_to_datetime(date)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time()  # asctime's form names no zone
