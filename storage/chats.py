"""The chats the bot has met, and the people in them who were asked for a photo."""

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection
from storage.ledger import move_balance
from storage.tables import album_pictures, blocks, chats, expectations, jobs, ledger, offers, payments, preferences

EXPECTATION_SECONDS = 3600
"""How long "now send the photo" is remembered."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as last seen. `language` and `allowance` are None while nobody chose them; allowance -1: unlimited."""

    chat_id: int
    kind: str
    title: str | None
    username: str | None
    language: str | None
    allowance: int | None
    period: str | None
    zone: str | None
    member_cap: int | None
    seen_at: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """The operation a person named before sending the photo; `options` is the operation as JSON."""

    operation: str
    options: str
    prompt_id: int | None
    fresh: bool = False


_insert = insert(chats)
_remember = _insert.on_conflict_do_update(
    index_elements=["chat_id"],
    set_={name: _insert.excluded[name] for name in ("kind", "title", "username", "seen_at")},
)
_get = sa.select(chats).where(chats.c.chat_id == sa.bindparam("chat"))
_by_name = sa.select(chats).where(chats.c.username == sa.bindparam("name")).order_by(chats.c.seen_at.desc()).limit(1)
_expect = insert(expectations)
_expect = _expect.on_conflict_do_update(
    index_elements=["chat_id", "user_id"],
    set_={name: _expect.excluded[name] for name in ("operation", "options", "prompt_id", "fresh", "at")},
)
_mine = (expectations.c.chat_id == sa.bindparam("chat")) & (expectations.c.user_id == sa.bindparam("person"))
_expected = sa.select(expectations).where(_mine & (expectations.c.at > sa.bindparam("since")))
_forget = sa.delete(expectations).where(_mine).returning(expectations.c.user_id)
_here: sa.BindParameter[int] = sa.bindparam("old")
_there: sa.BindParameter[int] = sa.bindparam("new")
_drop_preferences = sa.delete(preferences).where(preferences.c.chat_id == _there)
_block_too = sa.select(_there, blocks.c.at).where(blocks.c.id == _here)


def _take_over(table: sa.Table) -> list[sa.Executable]:
    """Put the old chat's row in the place of the new one's, which another process may be writing at this moment."""
    others = [column for column in table.c if column.name != "chat_id"]
    row = sa.select(_there, *others).where(table.c.chat_id == _here)
    put = insert(table).from_select(["chat_id", *(column.name for column in others)], row)
    put = put.on_conflict_do_update(
        index_elements=["chat_id"], set_={column.name: put.excluded[column.name] for column in others}
    )
    return [put, sa.delete(table).where(table.c.chat_id == _here)]


_move: list[sa.Executable] = [
    insert(blocks).from_select(["id", "at"], _block_too).on_conflict_do_nothing(),
    *(sa.update(t).where(t.c.chat_id == _here).values(chat_id=_there) for t in (ledger, payments)),
    *_take_over(chats),
    *_take_over(preferences),
    *(sa.delete(t).where(t.c.chat_id == _here) for t in (expectations, album_pictures, offers)),
    # Message numbers start again in a supergroup: what a job replied to, and was asked by, has no number there.
    sa.update(jobs)
    .where(jobs.c.chat_id == _here)
    .values(
        chat_id=_there,
        reply_to=0,
        album=sa.case((jobs.c.album.is_not(None), 0)),
        progress_id=None,
        source=jobs.c.source + "@" + sa.cast(jobs.c.chat_id, sa.String),
    ),
]


async def remember(conn: Connection, chat_id: int, *, kind: str, title: str | None, username: str | None) -> None:
    """Keep what a chat looks like now; what was chosen for it stays."""
    name = username.lower() if username else None
    await conn.all(_remember, chat_id=chat_id, kind=kind, title=title, username=name, seen_at=time.time())


async def get(conn: Connection, chat_id: int) -> Chat | None:
    """Give the chat, if the bot has met it."""
    row = await conn.one(_get, chat=chat_id)
    return None if row is None else Chat(**row)


async def find(conn: Connection, who: int | str) -> Chat | None:
    """Give the chat with this id or @username, if the bot has met it."""
    if isinstance(who, int):
        return await get(conn, who)
    row = await conn.one(_by_name, name=who.removeprefix("@").lower())
    return None if row is None else Chat(**row)


async def expect(
    conn: Connection,
    chat_id: int,
    user_id: int,
    operation: str,
    options: str,
    prompt_id: int | None,
    *,
    fresh: bool = False,
) -> None:
    """Remember that this person's next photo in this chat is for `operation`."""
    await conn.all(
        _expect,
        chat_id=chat_id,
        user_id=user_id,
        operation=operation,
        options=options,
        prompt_id=prompt_id,
        fresh=int(fresh),
        at=time.time(),
    )


async def expected(conn: Connection, chat_id: int, user_id: int) -> Expectation | None:
    """Give what this person's next photo here is for, unless they were asked over an hour ago."""
    row = await conn.one(_expected, chat=chat_id, person=user_id, since=time.time() - EXPECTATION_SECONDS)
    return None if row is None else Expectation(row["operation"], row["options"], row["prompt_id"], bool(row["fresh"]))


async def forget_expected(conn: Connection, chat_id: int, user_id: int) -> bool:
    """Expect nothing of this person here any more; tell whether something was."""
    return await conn.one(_forget, chat=chat_id, person=user_id) is not None


async def migrate(conn: Connection, old: int, new: int) -> None:
    """Carry a group's settings, credits and jobs over to the supergroup it became. Doing it twice changes nothing."""
    for each in (old, new):  # as those lock who waited for the old chat and then find that it has moved
        await conn.lock(f"chat {each}")
    if await get(conn, old) is not None:
        await conn.all(_drop_preferences, new=new)
    for statement in _move:
        await conn.all(statement, old=old, new=new)
    await move_balance(conn, old, new)
