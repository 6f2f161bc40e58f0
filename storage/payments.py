"""Telegram Stars that were paid and given back. A charge id is credited once and taken back once, whatever repeats."""

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection
from storage.ledger import post
from storage.quotas import Terms, quota
from storage.tables import ledger, payments


@dataclass(frozen=True, slots=True)
class Payment:
    """One row of the payments; see storage.tables for the columns."""

    charge_id: str
    user_id: int
    chat_id: int
    credits: int
    stars: int
    at: float
    refunded_at: float | None
    told: int


_charge: sa.BindParameter[str] = sa.bindparam("charge")
_add = insert(payments).on_conflict_do_nothing().returning(payments.c.charge_id)
_get = sa.select(payments).where(payments.c.charge_id == _charge)
_refunded = (
    sa.update(payments)
    .where((payments.c.charge_id == _charge) & payments.c.refunded_at.is_(None))
    .values(refunded_at=sa.bindparam("now"))
    .returning(payments.c.charge_id)
)
_taken = sa.select(ledger.c.credits.label("n")).where(ledger.c.source == sa.bindparam("origin"))
_newest = sa.select(payments).order_by(payments.c.at.desc(), payments.c.charge_id).limit(sa.bindparam("count"))
_all = sa.select(payments)
_told = sa.update(payments).where(payments.c.charge_id == _charge).values(told=1)


async def credit(
    conn: Connection, chat_id: int, terms: Terms, *, charge_id: str, user_id: int, credits: int, stars: int
) -> bool:
    """Write down a payment and give the chat its credits; False when this charge was credited before."""
    now = time.time()
    await conn.lock(f"chat {chat_id}")
    about = {"charge_id": charge_id, "user_id": user_id, "chat_id": chat_id, "credits": credits}
    if await conn.one(_add, **about, stars=stars, at=now) is None:
        return False
    had, source = await quota(conn, chat_id, terms, now), f"pay:{charge_id}"
    await post(conn, had, chat_id, "purchase", credits, now, bought=credits, source=source, user_id=user_id)
    return True


async def reverse(conn: Connection, charge_id: str, terms: Terms, *, by: int | None = None) -> int | None:
    """Take back the credits of a payment that was refunded, as many as the chat still has of those bought.

    Give the credits taken, or None when there is no such payment or it was reversed before.
    """
    now = time.time()
    payment = await get(conn, charge_id)
    while payment is not None and await conn.lock(f"chat {payment.chat_id}"):
        payment = await get(conn, charge_id)  # the chat may have become another while its lock was waited for
    if payment is None or await conn.one(_refunded, charge=charge_id, now=now) is None:
        return None
    had = await quota(conn, payment.chat_id, terms, now)
    taken, source = min(payment.credits, had.bought), f"refund:{charge_id}"
    person, chat_id = payment.user_id, payment.chat_id
    await post(conn, had, chat_id, "refund", taken, now, bought=-taken, source=source, user_id=person, by=by)
    return taken


async def taken_back(conn: Connection, charge_id: str) -> int:
    """Give the credits that were taken back when the payment was reversed, whoever did it."""
    return await conn.number(_taken, origin=f"refund:{charge_id}")


async def get(conn: Connection, charge_id: str) -> Payment | None:
    """Give the payment with this charge id."""
    row = await conn.one(_get, charge=charge_id)
    return Payment(**row) if row else None


async def set_told(conn: Connection, charge_id: str) -> None:
    """Remember that the person has a receipt."""
    await conn.all(_told, charge=charge_id)


async def newest(conn: Connection, count: int) -> list[Payment]:
    """Give the newest `count` payments, newest first."""
    return [Payment(**row) for row in await conn.all(_newest, count=count)]


async def everything(conn: Connection) -> dict[str, Payment]:
    """Give every payment by its charge id."""
    return {row["charge_id"]: Payment(**row) for row in await conn.all(_all)}
