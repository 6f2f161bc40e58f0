"""Callbacks awaited on a server, where any process may hear what another one waits for.

Only the SHA-256 of what is in a callback's URL is kept, so that nobody who reads the table can make the call.
"""

import hashlib
import time
from collections.abc import Collection, Mapping

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection, Row
from storage.tables import calls

CHANNEL = "darkroom_calls"
"""Where a call is announced (NOTIFY), as `hash task_id`."""

KEEP_SECONDS = 2 * 86_400.0
"""Longer than any job is waited for."""

_LONGEST = 128
_insert = insert(calls)
_expect = _insert.on_conflict_do_update(index_elements=["token"], set_={"at": _insert.excluded.at}).returning(
    calls.c.came_at, calls.c.task_id
)
_taken = (
    sa.update(calls)
    .where((calls.c.token == sa.bindparam("hash")) & calls.c.came_at.is_(None))
    .values(came_at=sa.bindparam("now"), task_id=sa.bindparam("task"))
    .returning(calls.c.token)
    .cte("taken")
)
# Announced in the same statement: heard by everyone as soon as it stands, and by nobody before.
_take = sa.select(
    sa.func.pg_notify(
        CHANNEL, _taken.c.token + " " + sa.func.coalesce(sa.cast(sa.bindparam("task"), sa.Text), "")
    ).label("told")
)
_came = sa.select(calls.c.token, calls.c.task_id).where(
    (calls.c.token == sa.any_(sa.bindparam("hashes", type_=sa.ARRAY(sa.Text)))) & calls.c.came_at.is_not(None)
)
_forget = sa.delete(calls).where(calls.c.token == sa.bindparam("hash"))
_prune = sa.delete(calls).where(calls.c.at < sa.bindparam("before"))


def hash_of(token: str) -> str:
    """Give what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


async def expect(conn: Connection, hashed: str) -> Row:
    """Await a call; give `came_at` and `task_id`, for it may have come to who awaited it before."""
    return (await conn.all(_expect, token=hashed, at=time.time()))[0]


async def take(conn: Connection, hashed: str, task_id: str | None) -> bool:
    """Note a call that came, and announce it; tell whether it was awaited and had not come before."""
    named = task_id if task_id and len(task_id) <= _LONGEST and task_id.isprintable() else None
    return await conn.one(_take, hash=hashed, now=time.time(), task=named) is not None


def announced(payload: str) -> tuple[str, str | None]:
    """Read what was announced: the hash, and the task it named."""
    hashed, _, task_id = payload.partition(" ")
    return hashed, task_id or None


async def came(conn: Connection, hashes: Collection[str]) -> Mapping[str, str | None]:
    """Give those of the awaited calls that came, with the task each named."""
    return {row["token"]: row["task_id"] for row in await conn.all(_came, hashes=list(hashes))}


async def forget(conn: Connection, hashes: Collection[str]) -> None:
    """Await these calls no longer."""
    await conn.many(_forget, [{"hash": one} for one in hashes])


async def prune(conn: Connection, before: float) -> None:
    """Forget the calls awaited since before the moment `before`."""
    await conn.all(_prune, before=before)
