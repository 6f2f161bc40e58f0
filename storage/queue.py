"""procrastinate's own tables, as far as we look after them: calls that died with their worker."""

import sqlalchemy as sa

from storage.database import Connection
from storage.tables import jobs

BEAT_SECONDS = 2.0
"""How often procrastinate's workers say that they live."""

LEASE_SECONDS = 10.0

_calls = sa.table("procrastinate_jobs", sa.column("id"), sa.column("status"), sa.column("worker_id"))
_prune = sa.select(sa.func.procrastinate_prune_stalled_workers_v1(LEASE_SECONDS))
# procrastinate leaves what a dead worker was doing for somebody to look at; ours is in the jobs table.
_drop_stalled = sa.delete(_calls).where((_calls.c.status == sa.text("'doing'")) & _calls.c.worker_id.is_(None))
_unheard = (
    sa.update(jobs)
    .where((jobs.c.told == 0) & (jobs.c.owner == 0) & ~sa.exists().where(_calls.c.id == jobs.c.task))
    .values(owner=None, epoch=jobs.c.epoch + 1)
)
_depth = sa.select(sa.func.count().label("n")).where((jobs.c.told == 0) & (sa.func.coalesce(jobs.c.owner, 0) == 0))


async def tidy(conn: Connection) -> None:
    """Forget workers that died and their calls; jobs whose call is gone, and that nobody took, wait for another."""
    for statement in (_prune, _drop_stalled, _unheard):
        await conn.all(statement)


async def depth(conn: Connection) -> int:
    """Count the jobs that nobody works on yet."""
    return await conn.number(_depth)
