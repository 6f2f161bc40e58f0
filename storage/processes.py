"""The processes that share a PostgreSQL database: who lives, and what the dead leave to the others."""

from collections.abc import Sequence

import sqlalchemy as sa

from storage.clock import moment
from storage.database import Connection
from storage.tables import inbox, jobs, processes

_me = processes.c.id == sa.bindparam("me")
_join = sa.insert(processes).values(role=sa.bindparam("part"), beat_at=moment()).returning(processes.c.id)
_beat = sa.update(processes).where(_me).values(beat_at=moment(), states=sa.bindparam("seen")).returning(processes.c.id)
# Nobody could beat while the server was down.
_up_since = sa.extract("epoch", sa.func.pg_postmaster_start_time())
_heard = sa.func.greatest(processes.c.beat_at, _up_since)
_dead = sa.delete(processes).where(_heard < moment() - sa.bindparam("lease")).returning(processes.c.id)
_alive = sa.select(processes.c.role).where(_heard >= moment() - sa.bindparam("lease"))
_leave = sa.delete(processes).where(_me)
_free_jobs = (
    sa.update(jobs)
    .where((jobs.c.told == 0) & (jobs.c.owner > 0) & ~sa.exists().where(processes.c.id == jobs.c.owner))
    .values(owner=None, epoch=jobs.c.epoch + 1)
)
_free_updates = (
    sa.update(inbox)
    .where(inbox.c.done_at.is_(None) & inbox.c.owner.is_not(None) & ~sa.exists().where(processes.c.id == inbox.c.owner))
    .values(owner=None)
)


async def join(conn: Connection, role: str) -> int:
    """Register a process that begins, and give its id."""
    row = await conn.one(_join, part=role)
    assert row is not None  # noqa: S101  an INSERT returns its row
    return int(row["id"])


async def beat(conn: Connection, me: int, states: str | None) -> bool:
    """Say that the process lives; False when the others have buried it. `states`: see storage.tables."""
    return await conn.one(_beat, me=me, seen=states) is not None


async def bury(conn: Connection, lease: float) -> Sequence[int]:
    """Free what belongs to processes that did not beat for `lease` seconds, and give their ids."""
    dead = [row["id"] for row in await conn.all(_dead, lease=lease)]
    await _free(conn)
    return dead


async def alive(conn: Connection, lease: float) -> Sequence[str]:
    """Give the roles of the processes that were heard of within `lease` seconds."""
    return [row["role"] for row in await conn.all(_alive, lease=lease)]


async def leave(conn: Connection, me: int) -> None:
    """Free what belongs to a process that ends."""
    await conn.all(_leave, me=me)
    await _free(conn)


async def _free(conn: Connection) -> None:
    """Let the living have the jobs and updates of all others, who may write nothing more about them."""
    await conn.all(_free_jobs)
    await conn.all(_free_updates)
