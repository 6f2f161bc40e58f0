"""What a chat may spend: the allowance of its period, the credits that do not expire, and the caps above them."""

import time
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from storage.database import Connection, Row
from storage.periods import Kind, kind_of, period_of
from storage.tables import balances, chats, ledger

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator settled for every chat.

    `allowance`: credits a chat gets each `period` of the time zone `zone`, UNLIMITED or 0 and up. `spend_cap`: credits
    all chats together may spend in a day (UTC), or None. `person_cap`: free credits one person may spend in a day
    (UTC) over all chats but those that an admin made unlimited, or None.
    """

    allowance: int
    spend_cap: int | None = None
    period: Kind = "day"
    zone: str = "UTC"
    person_cap: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What a chat may spend now. `allowance` and `left` are None when it is unlimited.

    `is_own`: an admin set the allowance of this very chat. `member_cap`: credits for each member and period, or None.
    """

    allowance: int | None
    used: int
    granted: int
    bought: int
    period: str
    renews_at: datetime
    kind: Kind
    zone: str
    is_own: bool
    member_cap: int | None

    @property
    def lasting(self) -> int:
        """Credits that do not expire."""
        return self.granted + self.bought

    @property
    def free(self) -> int | None:
        """Credits left of the allowance."""
        return None if self.allowance is None else max(self.allowance - self.used, 0)

    @property
    def left(self) -> int | None:
        """Credits the chat can spend before anything comes back."""
        return None if self.free is None else self.free + self.lasting


_chat: sa.BindParameter[int] = sa.bindparam("chat")
_person: sa.BindParameter[int] = sa.bindparam("person")
_period = ledger.c.period == sa.bindparam("then")
_own = sa.select(chats.c.allowance, chats.c.period, chats.c.zone, chats.c.member_cap).where(chats.c.chat_id == _chat)
_NOTHING_CHOSEN: Row = {column.name: None for column in _own.selected_columns}
_balance = sa.select(balances).where(balances.c.chat_id == _chat)
_free = sa.func.coalesce(-sa.func.sum(ledger.c.allowance), 0).label("n")
_any = sa.func.coalesce(-sa.func.sum(ledger.c.allowance + ledger.c.granted + ledger.c.bought), 0).label("n")
_for_jobs = ledger.c.job_id.is_not(None)
_used_by_chat = sa.select(_free).where((ledger.c.chat_id == _chat) & _period)
_used_by_member = sa.select(_any).where(
    (ledger.c.user_id == _person) & (ledger.c.chat_id == _chat) & _period & _for_jobs
)
_used_by_person = sa.select(_free).where((ledger.c.user_id == _person) & (ledger.c.day == sa.bindparam("today")))
_allow = insert(chats)
_allow = _allow.on_conflict_do_update(index_elements=["chat_id"], set_={"allowance": _allow.excluded.allowance})
_set = {
    name: sa.update(chats).where(chats.c.chat_id == _chat).values({name: sa.bindparam("own")})
    for name in ("period", "zone", "member_cap")
}


async def quota(conn: Connection, chat_id: int, terms: Terms, now: float | None = None) -> Quota:
    """Give what the chat may spend at the moment `now`."""
    own = await conn.one(_own, chat=chat_id) or _NOTHING_CHOSEN
    kind, zone = kind_of(own["period"] or terms.period), own["zone"] or terms.zone
    period = period_of(time.time() if now is None else now, kind, zone)
    is_own = own["allowance"] is not None
    allowance = own["allowance"] if is_own else terms.allowance
    balance = await conn.one(_balance, chat=chat_id)
    return Quota(
        allowance=None if allowance == UNLIMITED else allowance,
        used=await _used_in(conn, chat_id, period.name, balance),
        granted=balance["granted"] if balance else 0,
        bought=balance["bought"] if balance else 0,
        period=period.name,
        renews_at=period.renews_at,
        kind=kind,
        zone=zone,
        is_own=is_own,
        member_cap=own["member_cap"],
    )


async def _used_in(conn: Connection, chat_id: int, period: str, balance: Row | None) -> int:
    """Give what was used of the period's allowance.

    The ledger is asked when the balance is of another period: a new one, or an old one again, because the clock or the
    chat's time zone went back or the kind of its periods was changed. So nobody gets one allowance twice.
    """
    if balance is None:
        return 0
    if balance["period"] == period:
        return int(balance["used"])
    return await free_used_by_chat(conn, chat_id, period)


async def free_used_by_chat(conn: Connection, chat_id: int, period: str) -> int:
    """Give the free credits that a chat spent in a period, as the ledger has them."""
    return await conn.number(_used_by_chat, chat=chat_id, then=period)


async def used_by_member(conn: Connection, chat_id: int, user_id: int, period: str) -> int:
    """Give the credits that one member of a chat spent in a period."""
    return await conn.number(_used_by_member, chat=chat_id, person=user_id, then=period)


async def free_used_by_person(conn: Connection, user_id: int, day: str) -> int:
    """Give the free credits that one person spent on a day (UTC) over all chats."""
    return await conn.number(_used_by_person, person=user_id, today=day)


async def set_allowance(conn: Connection, chat_id: int, credits: int | None) -> None:
    """Set the chat's own allowance: a number, UNLIMITED, or None for the operator's default."""
    await conn.all(_allow, chat_id=chat_id, kind="unknown", seen_at=0.0, allowance=credits)


async def set_period(conn: Connection, chat_id: int, kind: Kind | None) -> None:
    """Set what the chat's allowance is for; None for the operator's default. The chat must be known."""
    await conn.all(_set["period"], chat=chat_id, own=kind)


async def set_zone(conn: Connection, chat_id: int, zone: str | None) -> None:
    """Set the chat's time zone, one that zoneinfo knows; None for the operator's default. The chat must be known."""
    await conn.all(_set["zone"], chat=chat_id, own=zone)


async def set_member_cap(conn: Connection, chat_id: int, credits: int | None) -> None:
    """Set what each member may spend in a period, or None. The chat must be known."""
    await conn.all(_set["member_cap"], chat=chat_id, own=credits)
