"""The jobs as rows: where each photo is on its way, so that whoever starts next can go on from there."""

import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection, Row
from storage.tables import jobs

_insert = insert(jobs).on_conflict_do_nothing().returning(jobs.c.id)
_get = sa.select(jobs).where(jobs.c.id == sa.bindparam("job"))
_note_progress = sa.update(jobs).where(jobs.c.id == sa.bindparam("job")).values(progress_id=sa.bindparam("message"))
_update = sa.update(jobs).where(jobs.c.id == sa.bindparam("job"))
_unfinished = sa.select(jobs.c.id, jobs.c.chat_id).where(jobs.c.told == 0).order_by(jobs.c.id)
_waiting = sa.select(sa.func.count()).where((jobs.c.told == 0) & (jobs.c.chat_id == sa.bindparam("chat")))
_one, _other = jobs.alias(), jobs.alias()
_same_album = (
    (_other.c.chat_id == _one.c.chat_id) & (_other.c.source == _one.c.source) & (_other.c.album == _one.c.album)
)
_together = (
    sa.select(_other)
    .where((_one.c.id == sa.bindparam("job")) & ((_other.c.id == _one.c.id) | _same_album))
    .order_by(_other.c.place)
)
_mine = (jobs.c.chat_id == sa.bindparam("chat")) & (jobs.c.user_id == sa.bindparam("person"))
_recent = sa.select(jobs).where(_mine).order_by(jobs.c.id.desc()).limit(sa.bindparam("count"))
_of_source = (
    sa.select(jobs)
    .where((jobs.c.chat_id == sa.bindparam("chat")) & (jobs.c.source == sa.bindparam("origin")))
    .order_by(jobs.c.place)
)
_prune = sa.delete(jobs).where((jobs.c.told == 1) & (jobs.c.updated_at < sa.bindparam("before")))


async def add(conn: Connection, **columns: object) -> int | None:
    """Write a new job and give its id; None when this picture of this message has one already."""
    now = time.time()
    row = await conn.one(_insert, created_at=now, updated_at=now, **columns)
    return None if row is None else int(row["id"])


async def get(conn: Connection, job_id: int) -> Row | None:
    """Give the job's row."""
    return await conn.one(_get, job=job_id)


async def update(conn: Connection, job_id: int, **columns: object) -> None:
    """Change these columns of the job."""
    await conn.all(_update, job=job_id, updated_at=time.time(), **columns)


async def note_progress(conn: Connection, job_id: int, message_id: int) -> None:
    """Remember the message that shows how far the job is, which is no change to the job."""
    await conn.all(_note_progress, job=job_id, message=message_id)


async def unfinished(conn: Connection) -> Sequence[tuple[int, int]]:
    """Give the (job id, chat id) of every job whose end the person does not know yet, oldest first."""
    return [(row["id"], row["chat_id"]) for row in await conn.all(_unfinished)]


async def waiting(conn: Connection, chat_id: int) -> int:
    """Count the chat's unfinished jobs."""
    row = await conn.one(_waiting, chat=chat_id)
    return 0 if row is None else int(row["count_1"])


async def together(conn: Connection, job_id: int) -> Sequence[Row]:
    """Give the jobs that are delivered with this one, itself included, in the order of their pictures."""
    return await conn.all(_together, job=job_id)


async def recent(conn: Connection, chat_id: int, user_id: int, count: int) -> Sequence[Row]:
    """Give this person's newest `count` jobs in this chat, newest first."""
    return await conn.all(_recent, chat=chat_id, person=user_id, count=count)


async def of_source(conn: Connection, chat_id: int, source: str) -> Sequence[Row]:
    """Give the jobs that one message or press asked for, in the order of their pictures."""
    return await conn.all(_of_source, chat=chat_id, origin=source)


async def prune(conn: Connection, before: float) -> None:
    """Forget the finished jobs that last changed before the moment `before`."""
    await conn.all(_prune, before=before)
