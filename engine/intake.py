"""Reads a request that creates a task: limits it, checks every field, leaves the picture on disk."""

import asyncio
import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message
from yarl import URL

from engine.replies import Dialect
from engine.tasks import Order
from imaging import wire
from imaging.errors import ArgumentError
from imaging.operations import OPERATIONS

FIELDS_MAX = 32
FIELD_BYTES = 8 * 1024
FORM_BYTES = 256 * 1024  # of everything in a form but the picture
READ_SECONDS = 120.0  # for a whole upload
DRAIN_FACTOR = 3  # what is too large is read up to so many times the limit, so that the client sees the answer
OPERATION_OF = {path: name for name, path in wire.PATHS.items()}


def drained(request: Request, limit: int) -> Request:
    """Wrap a request so that its body raises HTTPException 413 once it is longer than `limit` bytes."""
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > limit:
            while message.get("more_body") and size < DRAIN_FACTOR * limit:
                message = await request.receive()
                size += len(message.get("body", b""))
            raise HTTPException(413, "The image file is too large")
        return message

    return Request(request.scope, receive)


async def discard(request: Request, limit: int) -> None:
    """Read what a refused client still sends: an answer amid an upload is lost on many clients."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > DRAIN_FACTOR * limit:
                    return


async def read_order(request: Request, dialect: Dialect, source: Path, *, max_bytes: int, base_url: str) -> Order:
    """Check a form and store its picture at `source`. Raises HTTPException 400, 408, 413."""
    limited = drained(request, max_bytes + FORM_BYTES)
    try:
        async with (
            asyncio.timeout(READ_SECONDS),
            limited.form(max_files=1, max_fields=FIELDS_MAX, max_part_size=FIELD_BYTES) as form,
        ):
            picture, fields = _split(form)
            order = _order(request.path_params["operation"], fields, dialect, source, base_url, picture)
            if picture is not None:
                if (picture.size or 0) > max_bytes:
                    raise HTTPException(413, "The image file is too large")
                await asyncio.to_thread(_store, picture, source)
    except TimeoutError:
        raise HTTPException(408, "The upload took too long") from None
    return order


def _split(form: FormData) -> tuple[UploadFile | None, dict[str, str]]:
    """Part the picture, if one is sent, from the other fields; blank ones are as good as absent."""
    picture = form.get(wire.IMAGE_FILE)
    if isinstance(picture, str) and picture:
        raise HTTPException(400, "image_file must be a file")
    fields = {}
    for name, value in form.multi_items():
        if name == wire.IMAGE_FILE:
            continue
        if not isinstance(value, str):
            raise HTTPException(400, f"{name[:40]} must not be a file")
        if name in fields:
            raise HTTPException(400, f"{name[:40]} is given twice")
        if value.strip():
            fields[name] = value.strip()
    sent = isinstance(picture, UploadFile) and (picture.filename or picture.size)
    return picture if isinstance(picture, UploadFile) and sent else None, fields


def _order(
    path: str, fields: Mapping[str, str], dialect: Dialect, source: Path, base_url: str, picture: UploadFile | None
) -> Order:
    if (picture is None) == (wire.IMAGE_URL not in fields):
        raise HTTPException(400, "Give either image_file or image_url")
    try:
        operation = OPERATIONS[OPERATION_OF[path]].from_fields(fields)
    except ArgumentError as error:
        raise HTTPException(400, f"Wrong parameter: {error.params.get('field', error.code)}") from error
    sync = _choice(fields, wire.SYNC, "0", ("0", "1")) == "1"
    return Order(
        operation=operation,
        source=source,
        image_url=_link(fields, wire.IMAGE_URL),
        original_size="size" not in fields,
        sync=sync,
        return_type=_return_type(fields, sync=sync, name=operation.name) if dialect == "picwish" else 1,
        callback_url=_link(fields, wire.CALLBACK_URL),
        base_url=base_url,
    )


def _choice(fields: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = fields.get(name, default)
    if value not in choices:
        raise HTTPException(400, f"Wrong parameter: {name}")
    return value


def _return_type(fields: Mapping[str, str], *, sync: bool, name: str) -> int:
    """1, 2, or 3, the last for synchronous requests and not for ID photos (seed 001, doc)."""
    choices = ("1", "2", "3") if sync and name != "idphoto" else ("1", "2")
    return int(_choice(fields, wire.RETURN_TYPE, "1", choices))


def _link(fields: Mapping[str, str], name: str) -> str | None:
    """Read an http(s) link with a host; where it leads is checked when it is used."""
    if name not in fields:
        return None
    try:
        url = URL(fields[name])
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise HTTPException(400, f"{name} must be an http or https link")
    return fields[name]


def _store(picture: UploadFile, target: Path) -> None:
    with target.open("wb") as file:
        shutil.copyfileobj(picture.file, file)
