"""The updates Telegram sent, written down before they are confirmed to it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection
from storage.tables import inbox

_add = insert(inbox).on_conflict_do_nothing()
_known = sa.select(inbox.c.update_id).where(
    inbox.c.update_id.between(sa.bindparam("first"), sa.bindparam("last")),
)
_done = sa.update(inbox).where(inbox.c.update_id == sa.bindparam("done_id")).values(done_at=sa.bindparam("now"))
_waiting = sa.select(inbox.c.body).where(inbox.c.done_at.is_(None)).order_by(inbox.c.update_id)
_prune = sa.delete(inbox).where(inbox.c.done_at < sa.bindparam("before"))


async def add(conn: Connection, updates: Sequence[Mapping[str, Any]], now: float) -> list[Mapping[str, Any]]:
    """Write down `updates` (Telegram's JSON objects) and give those that were not here before."""
    ids = [update["update_id"] for update in updates]
    known = {row["update_id"] for row in await conn.all(_known, first=min(ids), last=max(ids))}
    fresh = {update["update_id"]: update for update in updates if update["update_id"] not in known}
    await conn.many(
        _add,
        [
            {"update_id": update_id, "body": json.dumps(update, separators=(",", ":")), "received_at": now}
            for update_id, update in fresh.items()
        ],
    )
    return list(fresh.values())


async def done(conn: Connection, update_ids: Iterable[int], now: float) -> None:
    """Remember that these updates were handled and need never be again."""
    await conn.many(_done, [{"done_id": update_id, "now": now} for update_id in update_ids])


async def waiting(conn: Connection) -> list[Mapping[str, Any]]:
    """Give the updates that were written down but not handled, oldest first."""
    return [json.loads(row["body"]) for row in await conn.all(_waiting)]


async def prune(conn: Connection, before: float) -> None:
    """Forget the updates that were handled before the moment `before`."""
    await conn.all(_prune, before=before)
