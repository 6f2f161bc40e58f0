"""What a chat chose in /settings, and where Telegram keeps our own pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection
from storage.tables import blocks, chats, preferences, stock


@dataclass(frozen=True, slots=True)
class Preferences:
    """A chat's choices; None is the default of each.

    `language` follows the person's Telegram, `send_as` (photo, file, both) suits the operation, `id_size` is the
    API's 295x413 (else the id of a preset), `id_background` (RRGGBB) is what the document asks for.
    """

    language: str | None = None
    send_as: str | None = None
    id_size: str | None = None
    id_background: str | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """A chat where somebody does something: its choices, and its kind, title and username as last seen (None: never).

    `blocked`: it, or whoever acts in it, may not come in.
    """

    preferences: Preferences
    looks: tuple[str, str | None, str | None] | None
    chat_blocked: bool
    blocked: bool


_chat: sa.BindParameter[int] = sa.bindparam("chat")
_acting = [sa.bindparam("person", type_=sa.BigInteger), sa.bindparam("sender", type_=sa.BigInteger)]
_always = sa.select(sa.literal_column("1").label("one")).subquery()  # an unknown chat has its row, too
_meet = (
    sa.select(
        chats.c.kind,
        chats.c.title,
        chats.c.username,
        chats.c.language,
        preferences.c.send_as,
        preferences.c.id_size,
        preferences.c.id_background,
        sa.exists().where(blocks.c.id == _chat).label("chat_blocked"),
        sa.exists().where(blocks.c.id.in_(_acting)).label("person_blocked"),
    )
    .select_from(_always.outerjoin(chats, chats.c.chat_id == _chat))
    .outerjoin(preferences, preferences.c.chat_id == chats.c.chat_id)
)
_insert = insert(preferences)
_choose = {
    name: _insert.on_conflict_do_update(index_elements=["chat_id"], set_={name: _insert.excluded[name]})
    for name in ("send_as", "id_size", "id_background")
}
_language = sa.update(chats).where(chats.c.chat_id == _chat).values(language=sa.bindparam("chosen"))
_known = sa.select(stock.c.name, stock.c.file_id)
_keep = insert(stock)
_keep = _keep.on_conflict_do_update(index_elements=["name"], set_={"file_id": _keep.excluded.file_id})


async def meet(conn: Connection, chat_id: int, acting: tuple[int, int] = (0, 0)) -> Met:
    """Give all that has to be known when `acting` (a person, and what they speak for) do something in a chat."""
    row = await conn.one(_meet, chat=chat_id, person=acting[0], sender=acting[1])
    assert row is not None  # noqa: S101  it begins with one that is always there
    chosen = Preferences(row["language"], row["send_as"], row["id_size"], row["id_background"])
    looks = (row["kind"], row["title"], row["username"]) if row["kind"] else None
    chat_blocked = bool(row["chat_blocked"])
    return Met(chosen, looks, chat_blocked, chat_blocked or bool(row["person_blocked"]))


async def get(conn: Connection, chat_id: int) -> Preferences:
    """Give the chat's choices."""
    return (await meet(conn, chat_id)).preferences


async def choose(conn: Connection, chat_id: int, name: str, value: str | None) -> None:
    """Set one field of Preferences; None goes back to the default. The chat must have been remembered."""
    if name == "language":
        await conn.all(_language, chat=chat_id, chosen=value)
    else:
        await conn.all(_choose[name], chat_id=chat_id, **{name: value})


async def stocked(conn: Connection) -> Mapping[str, str]:
    """Give the file_ids of our own pictures, by name."""
    return {row["name"]: row["file_id"] for row in await conn.all(_known)}


async def stock_up(conn: Connection, file_ids: Iterable[tuple[str, str]]) -> None:
    """Remember under which file_ids Telegram keeps our own pictures."""
    # In one order, or two processes that start at once could wait for each other.
    await conn.many(_keep, [{"name": name, "file_id": file_id} for name, file_id in sorted(file_ids)])
