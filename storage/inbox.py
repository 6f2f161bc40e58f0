"""The updates Telegram sent, written down before they are confirmed to it, and whose each of them is to handle."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection, Row
from storage.tables import inbox, processes

RawUpdate = Mapping[str, Any]
"""An update as Telegram's JSON object."""

_one, _other = inbox, inbox.alias("other")
_me: sa.BindParameter[int] = sa.bindparam("me")
_chat: sa.BindParameter[int] = sa.bindparam("in_chat")
_alive = sa.select(processes.c.id)
_waits = _one.c.done_at.is_(None)
# Updates of no chat (0) have no order to keep.
_before = sa.exists().where(
    (_chat != 0) & (_other.c.chat_id == _chat) & _other.c.done_at.is_(None) & _other.c.owner.is_distinct_from(_me)
)
_orphaned = _waits & (_one.c.owner.is_(None) | _one.c.owner.not_in(_alive))
_in_good_hands = sa.exists().where(
    (_one.c.chat_id != 0)
    & (_other.c.chat_id == _one.c.chat_id)
    & _other.c.done_at.is_(None)
    & _other.c.owner.in_(_alive)
)
_just_done = sa.select(_other.c.chat_id).where((_other.c.done_at == sa.bindparam("now")) & (_other.c.chat_id != 0))

_insert = insert(inbox).on_conflict_do_nothing().returning(inbox.c.owner)
_add = _insert.values(owner=_me)
_add_shared = _insert.values(owner=sa.case((_before, sa.null()), else_=_me))
_done = (
    sa.update(inbox)
    .where((_one.c.update_id == sa.bindparam("done_id")) & (_one.c.owner == _me))
    .values(done_at=sa.bindparam("now"))
)
_follow = (
    sa.update(inbox)
    .where(_waits & _one.c.owner.is_(None) & _one.c.chat_id.in_(_just_done))
    .values(owner=_me)
    .returning(_one.c.update_id, _one.c.body)
)
_claim_all = sa.update(inbox).where(_waits).values(owner=_me)
_left = sa.select(_one.c.chat_id).where(_orphaned & ~_in_good_hands).distinct()
_claim = sa.update(inbox).where((_one.c.chat_id == _chat) & _orphaned & ~_in_good_hands).values(owner=_me)
_mine = sa.select(_one.c.update_id, _one.c.body).where(_waits & (_one.c.owner == _me)).order_by(_one.c.update_id)
_release = sa.update(inbox).where(_waits & (_one.c.owner == _me)).values(owner=None)
_get = sa.select(inbox.c.body).where(inbox.c.update_id == sa.bindparam("update"))
_prune = sa.delete(inbox).where(inbox.c.done_at < sa.bindparam("before"))


@dataclass(frozen=True, slots=True)
class Added:
    """What became of some updates: those to be handled here and now, and how many had come before."""

    mine: Sequence[RawUpdate]
    known: int


def is_update(value: object) -> TypeGuard[RawUpdate]:
    """Tell whether `value`, which came as JSON, is an update with a number that the database can hold."""
    update_id = value.get("update_id") if isinstance(value, dict) else None
    return type(update_id) is int and 0 <= update_id < 2**63


def chat_of(update: RawUpdate) -> int:
    """Give the chat that an update belongs to; 0 for none, as for a question about a payment."""
    match update:
        case (
            {"message": {"chat": {"id": chat}}}
            | {"callback_query": {"message": {"chat": {"id": chat}}}}
            | {"my_chat_member": {"chat": {"id": chat}}}
        ) if type(chat) is int and -(2**63) <= chat < 2**63:
            return chat
    return 0


async def add(conn: Connection, updates: Sequence[RawUpdate], now: float, me: int, *, shared: bool) -> Added:
    """Write down `updates`; those that are new are for the process `me` to handle.

    Where the database is `shared`, an update whose chat has another process at work waits for that one to be done.
    """
    if shared:
        await _lock(conn, map(chat_of, updates))
    mine, known = [], 0
    for update in updates:
        chat, body = chat_of(update), json.dumps(update, separators=(",", ":"))
        values = {"update_id": update["update_id"], "chat_id": chat, "body": body, "received_at": now, "me": me}
        row = await (conn.one(_add_shared, in_chat=chat, **values) if shared else conn.one(_add, **values))
        if row is None:
            known += 1
        elif row["owner"] == me:
            mine.append(update)
    return Added(mine, known)


async def done(
    conn: Connection, handled: Mapping[int, int], now: float, me: int, *, shared: bool
) -> Sequence[RawUpdate]:
    """Remember that the process `me` handled these updates (with their chats); give what it has to handle next.

    That is what waited for them in their chats, having come to another process.
    """
    if shared:
        await _lock(conn, handled.values())
    await conn.many(_done, [{"done_id": update_id, "now": now, "me": me} for update_id in handled])
    return _updates(await conn.all(_follow, now=now, me=me)) if shared else []


async def claim(conn: Connection, me: int, known: Container[int], *, shared: bool) -> Sequence[RawUpdate]:
    """Take over what no living process handles; give all that is for `me` to handle and not among the `known` ids.

    A database that is not `shared` has no other process.
    """
    if shared:
        chats = [row["chat_id"] for row in await conn.all(_left)]
        if chats:
            await _lock(conn, chats)
        for chat in chats:
            await conn.all(_claim, in_chat=chat, me=me)
    else:
        await conn.all(_claim_all, me=me)
    return _updates(row for row in await conn.all(_mine, me=me) if row["update_id"] not in known)


async def release(conn: Connection, me: int) -> None:
    """Leave what `me` has not handled to whoever claims it."""
    await conn.all(_release, me=me)


async def get(conn: Connection, update_id: int) -> RawUpdate | None:
    """Give an update as it came, unless it is too old."""
    row = await conn.one(_get, update=update_id)
    return None if row is None else json.loads(row["body"])


async def _lock(conn: Connection, chats: Iterable[int]) -> None:
    """Let no two processes decide at the same time whose turn it is in a chat."""
    names = {f"chat-inbox {chat}" for chat in chats if chat}
    if names:
        await conn.lock(*names)


def _updates(rows: Iterable[Row]) -> Sequence[RawUpdate]:
    return [json.loads(row["body"]) for row in sorted(rows, key=lambda row: int(row["update_id"]))]


async def prune(conn: Connection, before: float) -> None:
    """Forget the updates that were handled before the moment `before`."""
    await conn.all(_prune, before=before)
