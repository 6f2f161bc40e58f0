"""The jobs as rows: where each photo is on its way, so that whoever starts next can go on from there."""

import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection, Row
from storage.tables import jobs, processes

_insert = insert(jobs).on_conflict_do_nothing().returning(jobs.c.id)
_get = sa.select(jobs).where(jobs.c.id == sa.bindparam("job"))
_note_progress = sa.update(jobs).where(jobs.c.id == sa.bindparam("job")).values(progress_id=sa.bindparam("message"))
_update = sa.update(jobs).where((jobs.c.id == sa.bindparam("job")) & (jobs.c.epoch == sa.bindparam("mine")))
_update = _update.returning(jobs.c.id)
_unfinished = sa.select(jobs.c.id, jobs.c.chat_id).where(jobs.c.told == 0).order_by(jobs.c.id)
_count_unfinished = sa.select(sa.func.count().label("n")).where(
    (jobs.c.told == 0) & (jobs.c.chat_id == sa.bindparam("chat"))
)
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
_free = jobs.c.owner.is_(None) & (jobs.c.told == 0)
_of_chat = (
    sa.select(jobs.c.id, jobs.c.source, jobs.c.album, jobs.c.owner)
    .where((jobs.c.told == 0) & (jobs.c.chat_id == sa.bindparam("chat")))
    .order_by(jobs.c.id)
)
_hand_out = sa.update(jobs).where(jobs.c.id == sa.bindparam("job")).values(owner=0, task=sa.bindparam("call"))
_alive = sa.exists().where(processes.c.id == sa.bindparam("me"))
_take = (
    sa.update(jobs)
    .where((jobs.c.id == sa.bindparam("job")) & (jobs.c.owner == 0) & (jobs.c.told == 0) & _alive)
    .values(owner=sa.bindparam("me"), epoch=jobs.c.epoch + 1)
    .returning(jobs.c.id, jobs.c.chat_id)
)
_rest = jobs.alias()
_adopt = (
    sa.update(jobs)
    .where(
        _free
        & (jobs.c.chat_id == _rest.c.chat_id)
        & (jobs.c.source == _rest.c.source)
        & (jobs.c.album == _rest.c.album)
        & (_rest.c.id == sa.any_(sa.bindparam("here", type_=sa.ARRAY(sa.BigInteger))))
        & (_rest.c.told == 0)
        & (_rest.c.owner == sa.bindparam("me"))
        & _alive
    )
    .values(owner=sa.bindparam("me"), epoch=jobs.c.epoch + 1)
    .returning(jobs.c.id, jobs.c.chat_id)
)
_seize = (
    sa.update(jobs)
    .where((jobs.c.id == sa.bindparam("job")) & (jobs.c.told == 0) & (_free | (jobs.c.owner == 0)))
    .values(owner=sa.bindparam("me"), epoch=jobs.c.epoch + 1)
    .returning(jobs.c.id)
)
_stop = (
    sa.update(jobs)
    .where((jobs.c.id == sa.bindparam("job")) & (jobs.c.told == 0))
    .values(stop=sa.bindparam("wanted"))
    .returning(jobs.c.task)
)
_owned = sa.select(jobs.c.id, jobs.c.stop).where((jobs.c.told == 0) & (jobs.c.owner == sa.bindparam("me")))
_let_go = (
    sa.update(jobs)
    .where((jobs.c.id == sa.bindparam("job")) & (jobs.c.owner == sa.bindparam("me")) & (jobs.c.told == 0))
    .values(owner=None, epoch=jobs.c.epoch + 1)
)
_handed_out = sa.func.count(jobs.c.owner)
_waiting_chats = (
    sa.select(jobs.c.chat_id)
    .where(jobs.c.told == 0)
    .group_by(jobs.c.chat_id)
    .having((_handed_out < sa.func.count()) & (_handed_out < sa.bindparam("most")))
    .limit(100)
)
_before = sa.select(sa.func.count().label("n")).where(
    (jobs.c.told == 0) & (sa.func.coalesce(jobs.c.owner, 0) == 0) & (jobs.c.id < sa.bindparam("job"))
)
_prune = sa.delete(jobs).where((jobs.c.told == 1) & (jobs.c.updated_at < sa.bindparam("before")))


class SupersededError(Exception):
    """Another process works on the job now: what this one still wants to write about it is void."""


async def add(conn: Connection, **columns: object) -> int | None:
    """Write a new job and give its id; None when this picture of this message has one already."""
    now = time.time()
    row = await conn.one(_insert, created_at=now, updated_at=now, **columns)
    return None if row is None else int(row["id"])


async def get(conn: Connection, job_id: int) -> Row | None:
    """Give the job's row."""
    return await conn.one(_get, job=job_id)


async def update(conn: Connection, job_id: int, *, epoch: int = 0, **columns: object) -> None:
    """Change these columns of the job. Raises SupersededError when its epoch is another."""
    if await conn.one(_update, job=job_id, mine=epoch, updated_at=time.time(), **columns) is None:
        raise SupersededError(job_id)


async def note_progress(conn: Connection, job_id: int, message_id: int) -> None:
    """Remember the message that shows how far the job is, which is no change to the job."""
    await conn.all(_note_progress, job=job_id, message=message_id)


async def unfinished(conn: Connection) -> Sequence[tuple[int, int]]:
    """Give the (job id, chat id) of every job whose end the person does not know yet, oldest first."""
    return [(row["id"], row["chat_id"]) for row in await conn.all(_unfinished)]


async def count_unfinished(conn: Connection, chat_id: int) -> int:
    """Count the chat's unfinished jobs."""
    return await conn.number(_count_unfinished, chat=chat_id)


async def together(conn: Connection, job_id: int) -> Sequence[Row]:
    """Give the jobs that are delivered with this one, itself included, in the order of their pictures."""
    return await conn.all(_together, job=job_id)


async def recent(conn: Connection, chat_id: int, user_id: int, count: int) -> Sequence[Row]:
    """Give this person's newest `count` jobs in this chat, newest first."""
    return await conn.all(_recent, chat=chat_id, person=user_id, count=count)


async def of_source(conn: Connection, chat_id: int, source: str) -> Sequence[Row]:
    """Give the jobs that one message or press asked for, in the order of their pictures."""
    return await conn.all(_of_source, chat=chat_id, origin=source)


async def unfinished_of(conn: Connection, chat_id: int) -> Sequence[Row]:
    """Give id, source, album and owner of the chat's unfinished jobs, oldest first."""
    return await conn.all(_of_chat, chat=chat_id)


async def hand_out(conn: Connection, job_id: int, call: int) -> None:
    """Note that procrastinate's `call` will have a worker take the job."""
    await conn.all(_hand_out, job=job_id, call=call)


async def take(conn: Connection, job_id: int, me: int) -> Sequence[Row]:
    """Make a job that was handed out, and those delivered with it, the process's; give the id and chat_id of each.

    A process that the others have buried gets none.
    """
    found = await together(conn, job_id)
    return [taken for row in found if (taken := await conn.one(_take, job=row["id"], me=me)) is not None]


async def adopt(conn: Connection, here: Sequence[int], me: int) -> Sequence[Row]:
    """Make jobs the process's that nobody has, and that are delivered with those it works on; as `take` gives them."""
    return await conn.all(_adopt, here=list(here), me=me)


async def seize(conn: Connection, job_id: int, me: int) -> bool:
    """Make a job the process's that nobody works on yet; False when somebody does, or it has ended."""
    return await conn.one(_seize, job=job_id, me=me) is not None


async def set_stop(conn: Connection, job_id: int, *, wanted: bool) -> int | None:
    """Note that a job is to end without a result, or that it was too late; give procrastinate's call for it.

    None: it has ended. 0: there was no call, who has it is about to cancel it.
    """
    row = await conn.one(_stop, job=job_id, wanted=int(wanted))
    return None if row is None else int(row["task"] or 0)


async def owned(conn: Connection, me: int) -> Sequence[Row]:
    """Give id and stop of the process's unfinished jobs."""
    return await conn.all(_owned, me=me)


async def let_go(conn: Connection, job_id: int, me: int) -> None:
    """Leave a job of the process's to whoever takes it next."""
    await conn.all(_let_go, job=job_id, me=me)


async def waiting_chats(conn: Connection, limit: int) -> Sequence[int]:
    """Give some chats with jobs that nobody was handed, and fewer than `limit` that somebody was."""
    return [row["chat_id"] for row in await conn.all(_waiting_chats, most=limit)]


async def before(conn: Connection, job_id: int) -> int:
    """Count the jobs older than this one that nobody works on yet."""
    return await conn.number(_before, job=job_id)


async def prune(conn: Connection, before: float) -> None:
    """Forget the finished jobs that last changed before the moment `before`."""
    await conn.all(_prune, before=before)
