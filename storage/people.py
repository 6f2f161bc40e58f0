"""Who may not come in, who must slow down, and what the admins did about it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.clock import moment
from storage.database import Connection, Row
from storage.tables import actions, blocks, paces, pauses

_block = insert(blocks).on_conflict_do_nothing()
_unblock = sa.delete(blocks).where(blocks.c.id == sa.bindparam("who"))
_blocked = sa.select(blocks.c.id).where(blocks.c.id.in_([sa.bindparam("one"), sa.bindparam("other")]))
_until = sa.select(paces.c.until).where(paces.c.user_id == sa.bindparam("person")).scalar_subquery()
_pace = sa.select(moment().label("now"), _until.label("until"))
_slow = insert(paces)
_slow = _slow.on_conflict_do_update(index_elements=["user_id"], set_={"until": _slow.excluded.until})
_note = insert(actions).on_conflict_do_nothing()
_actions = sa.select(actions).order_by(actions.c.id.desc()).limit(sa.bindparam("count"))
_pause = insert(pauses).on_conflict_do_nothing()
_resume = sa.delete(pauses).where(pauses.c.provider == sa.bindparam("name"))
_paused = sa.select(pauses.c.provider)


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one person may send photos: `burst` at once, and as many in every `seconds`."""

    burst: int
    seconds: float


async def wait_of(conn: Connection, user_id: int, rate: Rate, now: float | None = None) -> float:
    """Take a place at the person's rate and give 0, or give the seconds to wait for one.

    One number a person suffices: the moment when what was sent would be done at the steady rate. `now` is what the
    database's clock says.
    """
    await conn.lock(f"person {user_id}")
    row = await conn.one(_pace, person=user_id)
    assert row is not None  # noqa: S101  it has no WHERE
    now = row["now"] if now is None else now
    most = now + rate.seconds * (1 + 1e-9)
    until = max(row["until"] or 0.0, now)
    until = (until if until <= most else now) + rate.seconds / rate.burst  # above: the clock was set back
    if until > most:
        return float(until - now - rate.seconds)
    await conn.all(_slow, user_id=user_id, until=until)
    return 0.0


async def set_blocked(conn: Connection, who: int, *, blocked: bool) -> None:
    """Let a chat or a person in no more, or again."""
    if blocked:
        await conn.all(_block, id=who, at=time.time())
    else:
        await conn.all(_unblock, who=who)


async def blocked(conn: Connection, one: int, other: int | None = None) -> bool:
    """Tell whether a chat or a person may not come in, or another one."""
    return await conn.one(_blocked, one=one, other=one if other is None else other) is not None


async def set_paused(conn: Connection, provider: str, *, paused: bool) -> None:
    """Remember over restarts that a provider is given no new tasks, or forget it."""
    if paused:
        await conn.all(_pause, provider=provider)
    else:
        await conn.all(_resume, name=provider)


async def all_paused(conn: Connection) -> set[str]:
    """Give the names of the providers that an admin paused."""
    return {row["provider"] for row in await conn.all(_paused)}


async def note_action(conn: Connection, by: int, what: str, chat_id: int | None, source: str) -> None:
    """Write into the audit log what an admin did; the same `source` once."""
    await conn.all(_note, at=time.time(), by=by, what=what[:500], chat_id=chat_id, source=source)


async def newest_actions(conn: Connection, count: int) -> Sequence[Row]:
    """Give the newest rows of the audit log, newest first."""
    return await conn.all(_actions, count=count)
