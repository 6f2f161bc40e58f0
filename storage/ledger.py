"""The only truth about credits: an append-only ledger, and a balance beside it that changes in the same transaction.

A chat spends its allowance first, which comes back every period, then the credits that do not expire. What a job may
cost is held before the work and settled when Telegram took the reply, or released; a job has one hold and one close,
which two unique indexes keep true whatever the code does.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection
from storage.tables import balances, chats, ledger, spending

UNLIMITED = -1


class LedgerError(ValueError):
    """A change that would take a chat below nothing."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator settled for every chat.

    `allowance`: credits a chat gets each period, UNLIMITED or 0 and up. `spend_cap`: credits all chats together may
    spend in a day (UTC), or None.
    """

    allowance: int
    spend_cap: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What a chat may spend now. `allowance` and `left` are None when it is unlimited."""

    allowance: int | None
    used: int
    bought: int
    period: str
    renews_at: datetime

    @property
    def left(self) -> int | None:
        """Credits the chat can spend before anything comes back."""
        return None if self.allowance is None else max(self.allowance - self.used, 0) + self.bought


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger; see storage.tables for the columns."""

    id: int
    chat_id: int
    kind: str
    job_id: int | None
    credits: int
    allowance: int
    bought: int
    period: str
    at: float
    by: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Why credits could not be held: the chat's `quota`, or the operator's `spend_cap`."""

    reason: str
    quota: Quota


_chat: sa.BindParameter[int] = sa.bindparam("chat")
_own_allowance = sa.select(chats.c.allowance).where(chats.c.chat_id == _chat)
_balance = sa.select(balances).where(balances.c.chat_id == _chat)
_used_in = sa.select(sa.func.coalesce(-sa.func.sum(ledger.c.allowance), 0).label("used")).where(
    (ledger.c.chat_id == _chat) & (ledger.c.period == sa.bindparam("then"))
)
_put = insert(balances)
_put = _put.on_conflict_do_update(
    index_elements=["chat_id"], set_={name: _put.excluded[name] for name in ("period", "used", "bought")}
)
_drop_balance = sa.delete(balances).where(balances.c.chat_id == _chat)
_write = insert(ledger).on_conflict_do_nothing().returning(ledger.c.id)
_by_source = sa.select(ledger.c.id).where(ledger.c.source == sa.bindparam("origin"))
_hold_of = sa.select(ledger).where((ledger.c.job_id == sa.bindparam("job")) & (ledger.c.kind == "hold"))
_spent = sa.select(spending.c.credits).where(spending.c.day == sa.bindparam("day"))
_spend = insert(spending)
_spend = _spend.on_conflict_do_update(
    index_elements=["day"], set_={"credits": spending.c.credits + sa.bindparam("change")}
)
_allow = insert(chats)
_allow = _allow.on_conflict_do_update(index_elements=["chat_id"], set_={"allowance": _allow.excluded.allowance})
_entries = (
    sa.select(*(ledger.c[name] for name in Entry.__dataclass_fields__))
    .where(ledger.c.chat_id == _chat)
    .order_by(ledger.c.id.desc())
    .limit(sa.bindparam("count"))
)


def period_of(moment: float) -> tuple[str, datetime]:
    """Give the name of the day (UTC) that holds `moment`, and when the next one begins."""
    day = datetime.fromtimestamp(moment, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day.date().isoformat(), day + timedelta(days=1)


async def quota(conn: Connection, chat_id: int, terms: Terms, now: float | None = None) -> Quota:
    """Give what the chat may spend at the moment `now`."""
    period, renews_at = period_of(time.time() if now is None else now)
    own = await conn.one(_own_allowance, chat=chat_id)
    allowance = terms.allowance if own is None or own["allowance"] is None else own["allowance"]
    balance = await conn.one(_balance, chat=chat_id)
    now_used = balance
    if balance and balance["period"] > period:  # the clock went back: this day's use stands in the ledger alone
        now_used = await conn.one(_used_in, chat=chat_id, then=period)
    elif balance and balance["period"] < period:
        now_used = None
    return Quota(
        allowance=None if allowance == UNLIMITED else allowance,
        used=now_used["used"] if now_used else 0,
        bought=balance["bought"] if balance else 0,
        period=period,
        renews_at=renews_at,
    )


async def hold(
    conn: Connection, chat_id: int, job_id: int, credits: int, terms: Terms, now: float | None = None
) -> Shortfall | None:
    """Hold `credits` for a job, or tell why not; nothing is written then."""
    now = time.time() if now is None else now
    had = await quota(conn, chat_id, terms, now)
    if had.left is not None and had.left < credits:
        return Shortfall("quota", had)
    day = period_of(now)[0]
    if terms.spend_cap is not None:
        spent = await conn.one(_spent, day=day)
        if (spent["credits"] if spent else 0) + credits > terms.spend_cap:
            return Shortfall("spend_cap", had)
    free = credits if had.allowance is None else min(credits, max(had.allowance - had.used, 0))
    if await _append(conn, had, chat_id, "hold", credits, now, allowance=-free, bought=free - credits, job_id=job_id):
        await conn.all(_spend, day=day, credits=credits, change=credits)
    return None


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
    if held is None:
        return None
    charged: int = held["credits"] if actual is None else min(actual, held["credits"])
    back = held["credits"] - charged
    bought = min(back, -held["bought"])  # what does not expire comes back first
    row = await conn.one(
        _write,
        chat_id=held["chat_id"],
        kind=kind,
        job_id=job_id,
        credits=charged if kind == "settle" else back,
        allowance=back - bought,
        bought=bought,
        period=held["period"],
        at=time.time() if now is None else now,
    )
    if row is None:
        return None
    balance = await conn.one(_balance, chat=held["chat_id"])
    if balance is not None and back:
        used = balance["used"] - (back - bought if balance["period"] == held["period"] else 0)
        await conn.all(
            _put,
            chat_id=held["chat_id"],
            period=balance["period"],
            used=used,
            bought=balance["bought"] + bought,
        )
        await conn.all(_spend, day=period_of(held["at"])[0], credits=0, change=-back)
    return charged


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

    Raises LedgerError when fewer than none would be left.
    """
    had = await quota(conn, chat_id, terms)
    if await conn.one(_by_source, origin=source):
        return had
    if had.bought + credits < 0:
        message = f"{had.bought} credits are there to take"
        raise LedgerError(message)
    await _append(conn, had, chat_id, "grant", credits, time.time(), bought=credits, by=by, source=source, note=note)
    return await quota(conn, chat_id, terms)


async def set_allowance(conn: Connection, chat_id: int, credits: int | None) -> None:
    """Set the chat's own allowance: a number, UNLIMITED, or None for the operator's default."""
    await conn.all(_allow, chat_id=chat_id, kind="unknown", seen_at=0.0, allowance=credits)


async def entries(conn: Connection, chat_id: int, count: int) -> list[Entry]:
    """Give the chat's newest `count` ledger entries, newest first."""
    return [Entry(**row) for row in await conn.all(_entries, chat=chat_id, count=count)]


async def move_balance(conn: Connection, old: int, new: int) -> None:
    """Add the balance of one chat to another's, whose ledger rows it now owns."""
    gone, kept = await conn.one(_balance, chat=old), await conn.one(_balance, chat=new)
    if gone is None:
        return
    await conn.all(_drop_balance, chat=old)
    period = max(gone["period"], kept["period"]) if kept else gone["period"]
    both = [row for row in (gone, kept) if row]
    await conn.all(
        _put,
        chat_id=new,
        period=period,
        used=sum(row["used"] for row in both if row["period"] == period),
        bought=sum(row["bought"] for row in both),
    )


async def _append(
    conn: Connection,
    had: Quota,
    chat_id: int,
    kind: str,
    credits: int,
    now: float,
    *,
    allowance: int = 0,
    bought: int = 0,
    **more: object,
) -> bool:
    """Write an entry and bring the balance along; tell whether it was new, by its source or its job."""
    row = await conn.one(
        _write,
        chat_id=chat_id,
        kind=kind,
        credits=credits,
        allowance=allowance,
        bought=bought,
        period=had.period,
        at=now,
        **more,
    )
    if row is None:
        return False
    used, left = had.used - allowance, had.bought + bought
    await conn.all(_put, chat_id=chat_id, period=had.period, used=used, bought=left)
    return True
