"""What a result still needs that the wire knows nothing of: an ID photo's print resolution and file-size cap."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from imaging import codec
from imaging.density import with_dpi
from imaging.errors import PictureError, ResultLost
from imaging.operations import IdPhoto
from imaging.results import Result, look_at, new_spool

if TYPE_CHECKING:
    from imaging.operations import Operation
    from imaging.results import ResultFile

CAP_MISSED = "cap_missed"
"""Among a result's changes: the file is the smallest we make, and still larger than was asked for."""


async def finish(operation: Operation, result: Result) -> Result:
    """Give the result as the person asked for it; the one handed over is closed when it is replaced.

    Raises ResultLost when it is broken inside.
    """
    if not isinstance(operation, IdPhoto):
        return result
    made = [await asyncio.to_thread(_finish, operation, one) for one in result.files]
    result.close()
    missed = any(operation.max_bytes and one.size > operation.max_bytes for one in made)
    return replace(result, files=tuple(made), changes=(*result.changes, *([CAP_MISSED] if missed else [])))


def _finish(operation: IdPhoto, one: ResultFile) -> ResultFile:
    one.file.seek(0)
    data = with_dpi(one.file.read(), operation.dpi)
    if operation.max_bytes and len(data) > operation.max_bytes:
        try:
            picture = codec.decode(data)
        except PictureError as error:  # the provider's fault, not the person's picture's
            raise ResultLost(f"the result cannot be read: {type(error).__name__}") from None
        data = codec.encode_within(picture, operation.max_bytes, dpi=operation.dpi)
    spool = new_spool()
    spool.write(data)
    return look_at(one.role, spool)
