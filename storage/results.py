"""What Telegram keeps of finished results, so that the same wish about the same picture is answered at once."""

import time

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection
from storage.tables import results

KEEP_SECONDS = 30 * 86_400.0
"""How long a result is remembered."""

_put = insert(results)
_put = _put.on_conflict_do_update(
    index_elements=["file_unique_id", "operation", "options"],
    set_={name: _put.excluded[name] for name in ("files", "at")},
)
_same = (
    (results.c.file_unique_id == sa.bindparam("unique"))
    & (results.c.operation == sa.bindparam("name"))
    & (results.c.options == sa.bindparam("chosen"))
)
_find = sa.select(results.c.files).where(_same & (results.c.at > sa.bindparam("since")))
_prune = sa.delete(results).where(results.c.at < sa.bindparam("before"))


async def put(conn: Connection, file_unique_id: str, operation: str, options: str, files: str) -> None:
    """Remember what was made of a picture; a newer result replaces an older one."""
    await conn.all(
        _put, file_unique_id=file_unique_id, operation=operation, options=options, files=files, at=time.time()
    )


async def find(conn: Connection, file_unique_id: str, operation: str, options: str) -> str | None:
    """Give the files of such a result, if one was made in the last KEEP_SECONDS."""
    since = time.time() - KEEP_SECONDS
    row = await conn.one(_find, unique=file_unique_id, name=operation, chosen=options, since=since)
    return None if row is None else str(row["files"])


async def prune(conn: Connection, before: float) -> None:
    """Forget the results that were made before the moment `before`."""
    await conn.all(_prune, before=before)
