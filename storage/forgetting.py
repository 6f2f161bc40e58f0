"""Forgetting a person: all that says who they are or what they sent. The ledger keeps its sums, without names."""

import time
from collections.abc import Sequence

import sqlalchemy as sa

from storage.database import Connection
from storage.periods import utc_day
from storage.tables import (
    album_pictures,
    albums,
    chats,
    expectations,
    inbox,
    jobs,
    ledger,
    offers,
    preferences,
    results,
)

_person: sa.BindParameter[int] = sa.bindparam("person")
_unfinished = sa.select(jobs.c.id).where((jobs.c.user_id == _person) & (jobs.c.told == 0))
_of_person = sa.select(jobs.c.file_unique_id).where(jobs.c.user_id == _person)
_forget = [
    sa.delete(results).where(results.c.file_unique_id.in_(_of_person)),
    sa.delete(jobs).where((jobs.c.user_id == _person) & (jobs.c.told == 1)),
    *(sa.delete(table).where(table.c.user_id == _person) for table in (expectations, album_pictures, offers)),
    sa.delete(albums).where(albums.c.chat_id == _person),
    # A private chat has its person's id. What an operator decided about it stays, or forgetting would be a way round.
    sa.update(chats).where(chats.c.chat_id == _person).values(title=None, username=None, language=None),
    sa.delete(preferences).where(preferences.c.chat_id == _person),
    sa.update(ledger).where(ledger.c.chat_id == _person).values(note=None),
]
# Today's rows still count for the person's own limits; tomorrow they are sums like all others.
_forget_spender = (
    sa.update(ledger)
    .where((ledger.c.user_id == _person) & (ledger.c.chat_id != _person) & (ledger.c.day != sa.bindparam("today")))
    .values(user_id=None)
)
# Updates are Telegram's JSON without spaces. The number stays, so that a repeated update is known as such.
_blank = (
    sa.update(inbox)
    .where(inbox.c.body.like(sa.bindparam("sign")))
    .values(body='{"update_id":' + sa.cast(inbox.c.update_id, sa.String) + "}")
)


async def unfinished(conn: Connection, user_id: int) -> Sequence[int]:
    """Give the ids of the person's jobs that are not done yet."""
    return [row["id"] for row in await conn.all(_unfinished, person=user_id)]


async def forget(conn: Connection, user_id: int) -> None:
    """Delete what is kept about a person, the update that asked for it included."""
    for statement in _forget:
        await conn.all(statement, person=user_id)
    await conn.all(_forget_spender, person=user_id, today=utc_day(time.time()))
    for end in (",", "}"):
        await conn.all(_blank, sign=f'%"id":{user_id}{end}%')
