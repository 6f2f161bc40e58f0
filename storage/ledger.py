"""The only truth about credits: an append-only ledger, and a balance beside it that changes in the same transaction.

A chat spends its allowance first, which comes back every period, then granted and at last bought credits. What a job
may cost is held before the work and settled when Telegram took the reply, or released; a job has one hold and one
close, and a message or payment one effect, which unique indexes keep true whatever the code does.
"""

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage import quotas
from storage.database import Connection, Row
from storage.periods import utc_day
from storage.quotas import UNLIMITED, Quota, Terms, quota, set_allowance
from storage.tables import balances, ledger, spending

# Of storage.quotas; of this file all that has no underscore is for others.
__all__ = ["UNLIMITED", "Quota", "Terms", "quota", "set_allowance"]

MOST_GRANTED = 10**9
"""Granted credits of a chat, at most: those of two that become one still fit into the column's 32 bits."""


class LedgerError(ValueError):
    """A change that would take a chat below nothing, or above MOST_GRANTED."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger; see storage.tables for the columns."""

    id: int
    chat_id: int
    kind: str
    job_id: int | None
    credits: int
    allowance: int
    granted: int
    bought: int
    period: str
    at: float
    user_id: int | None
    by: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why credits could not be held: `quota`, `member_cap`, `person_cap` or `spend_cap`. `left`: what could be."""

    reason: str
    quota: Quota
    left: int


_chat: sa.BindParameter[int] = sa.bindparam("chat")
_balance = sa.select(balances).where(balances.c.chat_id == _chat)
_put = insert(balances)
_put = _put.on_conflict_do_update(
    index_elements=["chat_id"], set_={name: _put.excluded[name] for name in ("period", "used", "granted", "bought")}
)
_drop_balance = sa.delete(balances).where(balances.c.chat_id == _chat)
_write = insert(ledger).on_conflict_do_nothing().returning(ledger.c.id)
_by_source = sa.select(ledger.c.id).where(ledger.c.source == sa.bindparam("origin"))
_hold_of = sa.select(ledger).where((ledger.c.job_id == sa.bindparam("job")) & (ledger.c.kind == "hold"))
_spent = sa.select(spending.c.credits.label("n")).where(spending.c.day == sa.bindparam("today"))
_spend = insert(spending)
_spend = _spend.on_conflict_do_update(
    index_elements=["day"], set_={"credits": spending.c.credits + sa.bindparam("change")}
)
_entries = (
    sa.select(*(ledger.c[name] for name in Entry.__dataclass_fields__))
    .where(ledger.c.chat_id == _chat)
    .order_by(ledger.c.id.desc())
    .limit(sa.bindparam("count"))
)


async def hold(
    conn: Connection,
    chat_id: int,
    job_id: int,
    credits: int,
    terms: Terms,
    now: float | None = None,
    *,
    user_id: int | None = None,
) -> Shortfall | None:
    """Hold `credits` for a job that `user_id` asked for, or tell why not; nothing is written then."""
    now = time.time() if now is None else now
    await conn.lock(f"chat {chat_id}", *([] if user_id is None else [f"person {user_id}"]))
    had, day = await quota(conn, chat_id, terms, now), utc_day(now)
    free = credits if had.free is None else min(credits, had.free)
    if free + had.lasting < credits and had.left is not None:
        return Shortfall("quota", had, had.left)
    if user_id is not None and had.member_cap is not None:
        left = had.member_cap - await quotas.used_by_member(conn, chat_id, user_id, had.period)
        if left < credits:
            return Shortfall("member_cap", had, max(left, 0))
    if user_id is not None and terms.person_cap is not None and not (had.is_own and had.allowance is None):
        free = min(free, max(terms.person_cap - await quotas.free_used_by_person(conn, user_id, day), 0))
        if free + had.lasting < credits:
            return Shortfall("person_cap", had, free + had.lasting)
    if terms.spend_cap is not None:
        await conn.lock(f"spending {day}")
        left = terms.spend_cap - await spent_on(conn, day)
        if left < credits:
            return Shortfall("spend_cap", had, max(left, 0))
    granted = min(credits - free, had.granted)
    parts = {"allowance": -free, "granted": -granted, "bought": granted + free - credits}
    if await post(conn, had, chat_id, "hold", credits, now, **parts, job_id=job_id, user_id=user_id):
        await conn.all(_spend, day=day, credits=credits, change=credits)
    return None


async def spent_on(conn: Connection, day: str) -> int:
    """Give the credits that all chats together held or settled on a day (UTC)."""
    return await conn.number(_spent, today=day)


async def settle(conn: Connection, job_id: int, actual: int | None = None, now: float | None = None) -> int | None:
    """Charge the chat what was held for the job, or the smaller `actual`.

    Give the credits charged, or None when nothing was held or the hold was closed before.
    """
    return await _close(conn, job_id, "settle", actual, now)


async def release(conn: Connection, job_id: int, now: float | None = None) -> int | None:
    """Give back what was held for the job. Give 0, or None when there was nothing to give back."""
    return await _close(conn, job_id, "release", 0, now)


async def _close(conn: Connection, job_id: int, kind: str, actual: int | None, now: float | None) -> int | None:
    held = await conn.one(_hold_of, job=job_id)
    while held is not None and await conn.lock(f"chat {held['chat_id']}"):
        held = await conn.one(_hold_of, job=job_id)  # the chat may have become another while its lock was waited for
    if held is None:
        return None
    charged: int = held["credits"] if actual is None else min(actual, held["credits"])
    back = held["credits"] - charged
    parts = _give_back(held, back)
    row = await conn.one(
        _write,
        **{name: held[name] for name in ("chat_id", "job_id", "period", "day", "user_id")},
        **parts,
        kind=kind,
        credits=charged if kind == "settle" else back,
        at=time.time() if now is None else now,
    )
    if row is None:
        return None
    balance = await conn.one(_balance, chat=held["chat_id"]) if back else None
    if balance is not None:
        await conn.all(
            _put,
            chat_id=held["chat_id"],
            period=balance["period"],
            used=balance["used"] - (parts["allowance"] if balance["period"] == held["period"] else 0),
            granted=balance["granted"] + parts["granted"],
            bought=balance["bought"] + parts["bought"],
        )
        await conn.all(_spend, day=held["day"], credits=0, change=-back)
    return charged


def _give_back(held: Row, credits: int) -> dict[str, int]:
    """Say which of a hold's credits come back first: the dearest, in the order opposite to spending."""
    bought = min(credits, -held["bought"])
    granted = min(credits - bought, -held["granted"])
    return {"bought": bought, "granted": granted, "allowance": credits - bought - granted}


async def grant(
    conn: Connection,
    chat_id: int,
    credits: int,
    terms: Terms,
    *,
    by: int,
    source: str,
    note: str | None = None,
) -> Quota:
    """Give (or, below zero, take) credits that do not expire. The same `source` has effect once.

    Raises LedgerError when fewer granted credits than none would be left, or more than MOST_GRANTED.
    """
    await conn.lock(f"chat {chat_id}")
    had = await quota(conn, chat_id, terms)
    if await conn.one(_by_source, origin=source):
        return had
    if had.granted + credits < 0:
        message = f"{had.granted} credits are there to take"
        raise LedgerError(message)
    if credits > 0 and had.granted + credits > MOST_GRANTED:
        message = f"{MOST_GRANTED} credits are the most a chat may have"
        raise LedgerError(message)
    await post(conn, had, chat_id, "grant", credits, time.time(), granted=credits, by=by, source=source, note=note)
    return await quota(conn, chat_id, terms)


async def entries(conn: Connection, chat_id: int, count: int) -> list[Entry]:
    """Give the chat's newest `count` ledger entries, newest first."""
    return [Entry(**row) for row in await conn.all(_entries, chat=chat_id, count=count)]


async def move_balance(conn: Connection, old: int, new: int) -> None:
    """Add the balance of one chat to another's, whose ledger rows it now owns."""
    gone, kept = await conn.one(_balance, chat=old), await conn.one(_balance, chat=new)
    if gone is None:
        return
    await conn.all(_drop_balance, chat=old)
    both = [row for row in (gone, kept) if row]
    period = max(row["period"] for row in both)
    used = await quotas.free_used_by_chat(conn, new, period)
    granted, bought = (sum(row[name] for row in both) for name in ("granted", "bought"))
    await conn.all(_put, chat_id=new, period=period, used=used, granted=granted, bought=bought)


async def post(
    conn: Connection,
    had: Quota,
    chat_id: int,
    kind: str,
    credits: int,
    now: float,
    *,
    allowance: int = 0,
    granted: int = 0,
    bought: int = 0,
    **more: object,
) -> bool:
    """Write an entry and bring the balance along, which was `had`; tell whether it was new, by its source or its job.

    `allowance`, `granted` and `bought` are what changes; `more` are further columns.
    """
    parts = {"allowance": allowance, "granted": granted, "bought": bought}
    about = {"chat_id": chat_id, "kind": kind, "credits": credits, "period": had.period, "day": utc_day(now), "at": now}
    if await conn.one(_write, **about, **parts, **more) is None:
        return False
    await conn.all(
        _put,
        chat_id=chat_id,
        period=had.period,
        used=had.used - allowance,
        granted=had.granted + granted,
        bought=had.bought + bought,
    )
    return True
