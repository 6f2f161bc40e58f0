"""What admins look at: chats, jobs, spending by provider, the figures of some days, the whole ledger page by page."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from storage.database import Connection, Row
from storage.tables import blocks, chats, jobs, ledger, processes

EXPORT_PAGE = 2000
Order = Literal["top", "recent", "blocked"]
ORDERS: tuple[Order, ...] = ("top", "recent", "blocked")

_since: sa.BindParameter[float] = sa.bindparam("since")
_count: sa.BindParameter[int] = sa.bindparam("count")
_skip: sa.BindParameter[int] = sa.bindparam("skip")
_chat: sa.BindParameter[int] = sa.bindparam("chat")
_all = ledger.c.allowance + ledger.c.granted + ledger.c.bought
_spent = (
    sa.select(ledger.c.chat_id, (-sa.func.sum(_all)).label("spent"))
    .where(ledger.c.job_id.is_not(None) & (ledger.c.at >= _since))
    .group_by(ledger.c.chat_id)
    .subquery()
)
_spent_there = sa.func.coalesce(_spent.c.spent, 0)
_listed = (
    sa.select(chats.c.chat_id, chats.c.kind, chats.c.title, chats.c.seen_at, _spent_there.label("spent"))
    .outerjoin(_spent, _spent.c.chat_id == chats.c.chat_id)
    .limit(_count)
    .offset(_skip)
)
_blocked = (
    sa.select(
        blocks.c.id.label("chat_id"),
        sa.func.coalesce(chats.c.kind, "").label("kind"),
        chats.c.title,
        blocks.c.at.label("seen_at"),
        _spent_there.label("spent"),
    )
    .outerjoin(chats, chats.c.chat_id == blocks.c.id)
    .outerjoin(_spent, _spent.c.chat_id == blocks.c.id)
    .order_by(blocks.c.at.desc(), blocks.c.id)
    .limit(_count)
    .offset(_skip)
)
_lists: dict[Order, sa.Select[int, str, str, float, int]] = {
    "top": _listed.order_by(sa.desc("spent"), chats.c.chat_id),
    "recent": _listed.order_by(chats.c.seen_at.desc(), chats.c.chat_id),
    "blocked": _blocked,
}
_job = (jobs.c.id, jobs.c.chat_id, jobs.c.operation, jobs.c.state, jobs.c.error, jobs.c.provider, jobs.c.created_at)
_jobs = sa.select(*_job).order_by(jobs.c.id.desc()).limit(_count)
_jobs_of = _jobs.where(jobs.c.chat_id == _chat)
_by_provider = (
    sa.select(jobs.c.provider, sa.func.sum(ledger.c.credits).label("credits"), sa.func.count().label("jobs"))
    .join(ledger, (ledger.c.job_id == jobs.c.id) & (ledger.c.kind == "settle"))
    .where(ledger.c.at >= _since)
    .group_by(jobs.c.provider)
)
_outcomes = (
    sa.select(jobs.c.operation, jobs.c.state, sa.func.count().label("n"))
    .where(jobs.c.created_at >= _since)
    .group_by(jobs.c.operation, jobs.c.state)
)
_seconds = (
    sa.select((jobs.c.updated_at - jobs.c.created_at).label("seconds"))
    .where((jobs.c.created_at >= _since) & (jobs.c.state == "delivered"))
    .order_by("seconds")
)
_active = sa.select(sa.func.count(jobs.c.chat_id.distinct()).label("n")).where(jobs.c.created_at >= _since)
_credits = (
    sa.select(ledger.c.kind, sa.func.sum(ledger.c.credits).label("n"))
    .where(ledger.c.at >= _since)
    .group_by(ledger.c.kind)
)
_states = sa.select(processes.c.states).where(processes.c.states.is_not(None)).order_by(processes.c.id)
_page = (
    sa.select(ledger)
    .where((ledger.c.id > sa.bindparam("after")) & (ledger.c.at >= _since))
    .order_by(ledger.c.id)
    .limit(_count)
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened since a moment. `photos`: by (operation, state); `seconds`: from asking to having, sorted."""

    photos: dict[tuple[str, str], int]
    seconds: list[float]
    credits: dict[str, int]
    active_chats: int

    def share(self, part: float) -> float | None:
        """Give the seconds within which this part (0 to 1) of the photos was done."""
        return self.seconds[min(int(part * len(self.seconds)), len(self.seconds) - 1)] if self.seconds else None


async def list_chats(conn: Connection, order: Order, since: float, count: int, skip: int) -> Sequence[Row]:
    """Give chat_id, kind, title, seen_at and credits spent since then of `count` chats in this order."""
    return await conn.all(_lists[order], since=since, count=count, skip=skip)


async def newest_jobs(conn: Connection, count: int, chat_id: int | None = None) -> Sequence[Row]:
    """Give the newest jobs, newest first, of one chat or of all."""
    if chat_id is None:
        return await conn.all(_jobs, count=count)
    return await conn.all(_jobs_of, count=count, chat=chat_id)


async def spent_with_providers(conn: Connection, since: float) -> dict[str, tuple[int, int]]:
    """Give (credits charged, photos) of each provider since then."""
    return {row["provider"] or "": (row["credits"], row["jobs"]) for row in await conn.all(_by_provider, since=since)}


async def provider_states(conn: Connection) -> Sequence[Mapping[str, tuple[str, float | None]]]:
    """Give what each living process knows of its providers: the state, and the seconds per request lately."""
    found = [json.loads(row["states"]) for row in await conn.all(_states)]
    return [{name: (state, seconds) for name, (state, seconds) in one.items()} for one in found]


async def figures(conn: Connection, since: float) -> Figures:
    """Count what happened since then, as far as finished jobs are still kept."""
    return Figures(
        photos={(row["operation"], row["state"]): row["n"] for row in await conn.all(_outcomes, since=since)},
        seconds=[row["seconds"] for row in await conn.all(_seconds, since=since)],
        credits={row["kind"]: row["n"] for row in await conn.all(_credits, since=since)},
        active_chats=await conn.number(_active, since=since),
    )


async def ledger_pages(conn: Connection, since: float) -> AsyncIterator[Sequence[Row]]:
    """Give the ledger since then, oldest first, some rows at a time."""
    after = 0
    while rows := await conn.all(_page, after=after, since=since, count=EXPORT_PAGE):
        yield rows
        after = rows[-1]["id"]
