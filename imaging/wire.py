"""The contract on the wire: paths, field names, states and bodies of both dialects (API_CONTRACT.md).

The client reads bodies with it, the engine builds them with it; it knows nothing of HTTP libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from imaging.errors import BadReply

PATHS: Final[Mapping[str, str]] = {
    "colorize": "colorization",
    "enhance": "scale",
    "idphoto": "idphoto",
    "cutout": "segmentation",
}
"""The last part of an operation's path, by the operation's name; the same in both dialects."""

GPTGE_CREATE: Final = "/task/pic/"
GPTGE_QUERY: Final = "/task/"
PICWISH_CREATE: Final = "/api/tasks/visual/"  # a query goes to the same path and the task_id

IMAGE_FILE: Final = "image_file"
IMAGE_URL: Final = "image_url"
SYNC: Final = "sync"
CALLBACK_URL: Final = "callback_url"
RETURN_TYPE: Final = "return_type"

MAX_BODY: Final = 2**20
"""Bytes of a JSON body that are read before it is called garbage; the seeds' bodies have under 1 KiB."""


class State(IntEnum):
    """`data.state`; any other number below 0 means failed, any other above 1 means still working."""

    QUEUED = 0
    DONE = 1
    PREPARING = 2
    WAITING = 3
    PROCESSING = 4
    FAILED = -1
    UPLOAD_FAILED = -2
    LINK_UNREACHABLE = -3
    TOO_LARGE = -5
    NOT_A_PICTURE = -7
    TOO_SLOW = -8


class ReturnType(IntEnum):
    """How PicWish hands over a result."""

    URL = 1
    BASE64 = 2
    BINARY = 3


NO_FACE: Final = "no face found"
"""What our engine says in `err_info` when an ID photo shows no face; vendors do not document theirs."""


def _text(value: object) -> str | None:
    """Read text or a number as text; anything else (or nothing) as None."""
    return str(value) if isinstance(value, str | int | float) and value != "" else None


def _number(value: object) -> float | None:
    """Read a number or a number in quotes; anything else as None."""
    try:
        return float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        return None


def _whole(value: object) -> int | None:
    """Read a whole number however it is written; anything else as None."""
    number = _number(value)
    return int(number) if number is not None and abs(number) < 2**63 else None


def _time(value: object) -> int | float | str | None:
    """Keep a time however it is written (gpt.ge: epoch seconds, PicWish: text)."""
    return value if isinstance(value, str | int | float) else None


def _mapping(value: object) -> object:
    """Error bodies may carry `data: []`, `""` or null where an object stands; read those as nothing."""
    return value if isinstance(value, Mapping | BaseModel) else None


Text = Annotated[str | None, BeforeValidator(_text)]
Number = Annotated[float | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Time = Annotated[int | float | str | None, BeforeValidator(_time)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TaskBody(_Body):
    """`data` of a reply: all a provider may say about a task. Times are epoch seconds or text."""

    task_id: Text = None
    state: int = State.QUEUED  # PicWish's answer to an asynchronous POST has a task_id only
    state_detail: Text = None
    err_info: Text = None
    progress: Whole = None  # percent
    image: Text = None  # a URL, or bare base64 with return_type 2
    mask: Text = None
    image_width: Whole = None
    image_height: Whole = None
    created_at: Time = None
    processed_at: Time = None
    completed_at: Time = None
    time_elapsed: Number = None  # milliseconds
    output_type: Whole = None
    return_type: Whole = None
    type: Text = None
    foreground_rect: Annotated[dict[str, Any] | None, BeforeValidator(_mapping)] = None


class Reply(_Body):
    """A whole body of either dialect, for creating and for asking alike; `message` is PicWish's."""

    status: int
    message: Text = None
    data: Annotated[TaskBody | None, BeforeValidator(_mapping)] = None

    def dump(self) -> bytes:
        """Write the body as JSON without what is not known, for the engine's answers."""
        return self.model_dump_json(exclude_none=True).encode()


def read_reply(raw: bytes) -> Reply:
    """Read a body. Raises BadReply when it is longer than MAX_BODY, no JSON, or in the wrong shape."""
    if len(raw) > MAX_BODY:
        raise BadReply(f"a body of more than {MAX_BODY} bytes")
    try:
        return Reply.model_validate_json(raw)
    except ValidationError as error:
        raise BadReply(f"a body in the wrong shape ({error.error_count()} faults)") from None


class _Named(_Body):
    task_id: Text = None


class _Called(_Named):
    data: Annotated[_Named | None, BeforeValidator(_mapping)] = None


def read_callback(raw: bytes) -> str | None:
    """Find the task_id a callback speaks of; None when it names none: its shape is documented nowhere."""
    try:
        called = _Called.model_validate_json(raw[:MAX_BODY])
    except ValidationError:
        return None
    return (called.data.task_id if called.data else None) or called.task_id
