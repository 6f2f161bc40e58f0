"""Albums: which pictures belong together, and what a button under a refusal would still have done."""

import time
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection, Row
from storage.tables import album_pictures, offers

_add = insert(album_pictures).on_conflict_do_nothing()
_pictures = (
    sa.select(album_pictures)
    .where((album_pictures.c.chat_id == sa.bindparam("chat")) & (album_pictures.c.group_id == sa.bindparam("group")))
    .order_by(album_pictures.c.message_id)
)
_offer = insert(offers).returning(offers.c.id)
_offered = sa.select(offers).where(offers.c.id == sa.bindparam("offer"))
_prune = [sa.delete(table).where(table.c.at < sa.bindparam("before")) for table in (album_pictures, offers)]


async def add(conn: Connection, chat_id: int, message_id: int, group_id: str, user_id: int, picture: str) -> None:
    """Remember a picture (a jobs.job.Picture as JSON) of the album `group_id`; twice is once."""
    await conn.all(
        _add,
        chat_id=chat_id,
        message_id=message_id,
        group_id=group_id,
        user_id=user_id,
        picture=picture,
        at=time.time(),
    )


async def pictures(conn: Connection, chat_id: int, group_id: str) -> Sequence[Row]:
    """Give the pictures of an album in their order: message_id, user_id and picture of each."""
    return await conn.all(_pictures, chat=chat_id, group=group_id)


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
