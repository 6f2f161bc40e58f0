"""Albums: which pictures belong together, which still come in, and what a button under a refusal would have done."""

import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.clock import moment
from storage.database import Connection, Row
from storage.tables import album_pictures, albums, offers

MOST = 10
"""Pictures or files in one album (Bot API, sendMediaGroup)."""

_in_chat: sa.BindParameter[int] = sa.bindparam("in_chat")
_in_group: sa.BindParameter[str] = sa.bindparam("in_group")
_add = insert(album_pictures).on_conflict_do_nothing().returning(album_pictures.c.message_id)
_pictures = (
    sa.select(album_pictures)
    .where((album_pictures.c.chat_id == _in_chat) & (album_pictures.c.group_id == _in_group))
    .order_by(album_pictures.c.message_id)
)
_count = (
    sa.select(sa.func.count())
    .where((album_pictures.c.chat_id == _in_chat) & (album_pictures.c.group_id == _in_group))
    .scalar_subquery()
)
_due = moment() + sa.case((_count >= MOST, 0.0), else_=sa.bindparam("quiet", type_=sa.Float))
_insert = insert(albums).values(due_at=_due)
_gather = _insert.on_conflict_do_update(
    index_elements=["chat_id", "group_id"],
    set_={
        "due_at": _insert.excluded.due_at,
        # After it was complete another round begins, for those that came late.
        "update_id": sa.case((albums.c.due_at.is_(None), _insert.excluded.update_id), else_=albums.c.update_id),
        # Of two wishes the first counts.
        "wish": sa.func.coalesce(albums.c.wish, _insert.excluded.wish),
        **{
            name: sa.case((albums.c.wish.is_(None), _insert.excluded[name]), else_=albums.c[name])
            for name in ("asked", "awaited")
        },
    },
).returning(albums.c.due_at, (albums.c.due_at <= moment()).label("whole"))
_mine = (albums.c.chat_id == _in_chat) & (albums.c.group_id == _in_group) & (albums.c.due_at == sa.bindparam("due"))
_claim = (
    sa.update(albums).where(_mine).values(due_at=moment() + sa.bindparam("lease", type_=sa.Float)).returning(albums)
)
_complete = sa.update(albums).where(_mine).values(due_at=None, asked=None, wish=None, awaited=0)
_overdue = sa.select(albums.c.chat_id, albums.c.group_id, albums.c.due_at).where(
    albums.c.due_at < moment() - sa.bindparam("patience", type_=sa.Float)
)
_left = sa.select(albums.c.chat_id, albums.c.group_id, albums.c.due_at).where(albums.c.due_at.is_not(None))
_insert_told = insert(albums).values(update_id=0, told=1)
_tell = _insert_told.on_conflict_do_update(
    index_elements=["chat_id", "group_id"], set_={"told": 1}, where=albums.c.told == 0
).returning(albums.c.told)
_offer = insert(offers).returning(offers.c.id)
_offered = sa.select(offers).where(offers.c.id == sa.bindparam("offer"))
_prune = [sa.delete(table).where(table.c.at < sa.bindparam("before")) for table in (album_pictures, albums, offers)]


async def add(conn: Connection, chat_id: int, message_id: int, group_id: str, user_id: int, picture: str) -> bool:
    """Remember a picture (a jobs.job.Picture as JSON) of the album `group_id`; tell whether it is new."""
    values = {"group_id": group_id, "user_id": user_id, "picture": picture, "at": time.time()}
    return await conn.one(_add, chat_id=chat_id, message_id=message_id, **values) is not None


async def pictures(conn: Connection, chat_id: int, group_id: str) -> Sequence[Row]:
    """Give the pictures of an album in their order: message_id, user_id and picture of each."""
    return await conn.all(_pictures, in_chat=chat_id, in_group=group_id)


async def gather(
    conn: Connection,
    chat_id: int,
    group_id: str,
    update_id: int,
    wish: str | None,
    *,
    awaited: bool,
    quiet: float,
) -> tuple[float, bool]:
    """Note that the update with a picture, just added, came; give when its album is due, and whether it is whole.

    It is complete when no more comes for `quiet` seconds, or when there are MOST. `wish`: what the update says to do
    with all of it, as JSON; `awaited`: that was said before.
    """
    values = {"chat_id": chat_id, "group_id": group_id, "update_id": update_id, "at": time.time()}
    asked = {"asked": None if wish is None else update_id, "wish": wish, "awaited": int(awaited)}
    row = await conn.one(_gather, in_chat=chat_id, in_group=group_id, quiet=quiet, **values, **asked)
    assert row is not None  # noqa: S101  it inserts or updates
    return row["due_at"], bool(row["whole"])


async def claim(conn: Connection, chat_id: int, group_id: str, due_at: float, lease: float) -> Row | None:
    """Take the album that became due at `due_at` for `lease` seconds; None when another picture or process was faster.

    Its `due_at` is when others may take it; claiming it anew by that makes it longer.
    """
    return await conn.one(_claim, in_chat=chat_id, in_group=group_id, due=due_at, lease=lease)


async def complete(conn: Connection, chat_id: int, group_id: str, due_at: float) -> None:
    """Note that all is done with the album that was claimed until `due_at`, unless another picture came meanwhile."""
    await conn.all(_complete, in_chat=chat_id, in_group=group_id, due=due_at)


async def left(conn: Connection, patience: float | None) -> Sequence[Row]:
    """Give chat_id, group_id and due_at of the albums that were due `patience` seconds ago; None: of all not done."""
    return await conn.all(_left) if patience is None else await conn.all(_overdue, patience=patience)


async def tell(conn: Connection, chat_id: int, group_id: str) -> bool:
    """Tell whether an album's person has yet to hear that we saw only one picture of it; True but once."""
    return await conn.one(_tell, chat_id=chat_id, group_id=group_id, at=time.time()) is not None


async def offer(conn: Connection, chat_id: int, user_id: int, requests: str) -> int:
    """Keep what a button will have done, as JSON, and give its number."""
    row = await conn.one(_offer, chat_id=chat_id, user_id=user_id, requests=requests, at=time.time())
    assert row is not None  # noqa: S101  an INSERT that conflicts with nothing returns its row
    return int(row["id"])


async def offered(conn: Connection, offer_id: int) -> Row | None:
    """Give an offer, unless it is too old."""
    return await conn.one(_offered, offer=offer_id)


async def prune(conn: Connection, before: float) -> None:
    """Forget the albums and offers from before the moment `before`."""
    for statement in _prune:
        await conn.all(statement, before=before)
