"""Recomputes from the ledger all that is kept beside it, and tells every difference."""

from dataclasses import dataclass

import sqlalchemy as sa

from storage.database import Connection
from storage.tables import balances, jobs, ledger, payments, spending


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` of `who` is `kept` beside the ledger, and the ledger says `counted`."""

    what: str
    who: str
    kept: int
    counted: int


_Rows = sa.Select[str, str, int, int]


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(column), 0)


def _compare(what: str, kept: sa.Column[int], counted: sa.Select[int], who: sa.Column[int]) -> _Rows:
    sum_ = counted.scalar_subquery()
    return sa.select(
        sa.literal(what).label("what"), sa.cast(who, sa.String).label("who"), kept.label("kept"), sum_.label("counted")
    ).where(kept != sum_)


def _count(what: str, who: sa.Column[int] | sa.Column[str], *, kept: int, wrong: sa.ColumnElement[bool]) -> _Rows:
    return sa.select(sa.literal(what), sa.cast(who, sa.String), sa.literal(kept), sa.literal(1 - kept)).where(wrong)


_of_chat = ledger.c.chat_id == balances.c.chat_id
_for_jobs = ledger.c.kind.in_(["hold", "settle", "release"])
_all = ledger.c.allowance + ledger.c.granted + ledger.c.bought
_close = ledger.alias()
_closed = sa.exists().where((_close.c.job_id == ledger.c.job_id) & _close.c.kind.in_(["settle", "release"]))
_alive = sa.exists().where((jobs.c.id == ledger.c.job_id) & jobs.c.state.not_in(["delivered", "failed", "cancelled"]))
_has_balance = sa.exists().where(balances.c.chat_id == ledger.c.chat_id)
_paid = sa.exists().where(
    (payments.c.charge_id == sa.func.substr(ledger.c.source, 5)) & (payments.c.credits == ledger.c.credits)
)
_credited = sa.exists().where((ledger.c.source == "pay:" + payments.c.charge_id) & (ledger.c.kind == "purchase"))
_reversed = sa.exists().where((ledger.c.source == "refund:" + payments.c.charge_id) & (ledger.c.kind == "refund"))

_used = sa.select(-_sum(ledger.c.allowance)).where(_of_chat & (ledger.c.period == balances.c.period))
_granted = sa.select(_sum(ledger.c.granted)).where(_of_chat)
_bought = sa.select(_sum(ledger.c.bought)).where(_of_chat)
_spent = sa.select(-_sum(_all)).where(_for_jobs & (ledger.c.day == spending.c.day))
_refunded = payments.c.refunded_at.is_not(None)

# One statement sees one state of the database, also while the bot runs.
_differences = sa.union_all(
    _compare("used", balances.c.used, _used, balances.c.chat_id),
    _compare("granted", balances.c.granted, _granted, balances.c.chat_id),
    _compare("bought", balances.c.bought, _bought, balances.c.chat_id),
    _compare("spending", spending.c.credits, _spent, spending.c.day),
    _count("balance of a chat", ledger.c.chat_id, kept=0, wrong=~_has_balance).distinct(),
    _count("hold outliving its job", ledger.c.job_id, kept=1, wrong=(ledger.c.kind == "hold") & ~_closed & ~_alive),
    _count("payment of a purchase", ledger.c.source, kept=0, wrong=(ledger.c.kind == "purchase") & ~_paid),
    _count("payment credited", payments.c.charge_id, kept=1, wrong=~_credited),
    _count("payment refunded", payments.c.charge_id, kept=1, wrong=_refunded & ~_reversed),
    _count("payment refunded", payments.c.charge_id, kept=0, wrong=~_refunded & _reversed),
)


async def differences(conn: Connection) -> list[Difference]:
    """Give every difference between the ledger and what is kept beside it; an empty list when the books balance."""
    return [Difference(**row) for row in await conn.all(_differences)]
