"""The ledger, case by case: what a chat may spend, at the same moment and over days; the model test has the rest."""

import asyncio

import pytest

from storage import ledger
from storage.database import Database
from storage.ledger import UNLIMITED, Terms
from tests.databases import raw, reached

DAY = 86_400.0
MONEY = "SELECT used, granted FROM balances WHERE chat_id = 1"


async def hold(db: Database, job: int, terms: Terms, credits: int = 1, chat: int = 1) -> bool:
    async with db.begin() as conn:
        return await ledger.hold(conn, chat, job, credits, terms, now=0.0) is None  # not real time: midnight may come


async def test_fifty_at_once_on_an_allowance_of_three(db: Database) -> None:
    """Requests at the same moment never overspend."""
    held = await asyncio.gather(*(hold(db, job, Terms(3)) for job in range(50)))
    assert sum(held) == 3
    async with db.read() as conn:
        assert await raw(conn, MONEY) == [(3, 0)]
        assert len(await ledger.entries(conn, 1, 99)) == 3


async def test_two_programs_at_once(url: str) -> None:
    """Neither do two programs on one database: the lock is the database's, not ours."""
    async with reached(url, own=False) as one, reached(url, own=False) as two:
        held = await asyncio.gather(*(hold((one, two)[job % 2], job, Terms(3)) for job in range(50)))
        assert sum(held) == 3
        assert not await hold(two, 99, Terms(3))


async def test_allowance_first_then_what_lasts(db: Database) -> None:
    """The allowance comes back by itself, so it is spent first; what lasts is given back first."""
    async with db.begin() as conn:
        await ledger.grant(conn, 1, 5, Terms(2), by=1, source="g")
        await ledger.hold(conn, 1, 1, 4, Terms(2))
        assert await raw(conn, MONEY) == [(2, 3)]
        assert await ledger.settle(conn, 1, actual=1) == 1
        assert await raw(conn, MONEY) == [(1, 5)]
        newest = (await ledger.entries(conn, 1, 1))[0]
        assert (newest.kind, newest.credits, newest.allowance, newest.granted) == ("settle", 1, 1, 2)


async def test_a_hold_is_closed_once(db: Database) -> None:
    """Whichever of settle and release comes first is the end; a job without a hold has none."""
    async with db.begin() as conn:
        await ledger.hold(conn, 1, 1, 2, Terms(9))
        assert await ledger.settle(conn, 1, actual=5) == 2
        assert await ledger.settle(conn, 1) is None
        assert await ledger.release(conn, 1) is None
        assert await ledger.release(conn, 404) is None
        await ledger.hold(conn, 1, 1, 2, Terms(9))
        assert await raw(conn, MONEY) == [(2, 0)]


async def test_a_day_later(db: Database) -> None:
    """The allowance comes back at midnight UTC; yesterday's hold, released today, gives nothing to today."""
    terms = Terms(3)
    async with db.begin() as conn:
        await ledger.hold(conn, 1, 1, 3, terms, now=DAY - 1)
        assert (await ledger.hold(conn, 1, 2, 1, terms, now=DAY - 1)) is not None
        assert (await ledger.hold(conn, 1, 2, 1, terms, now=DAY)) is None
        await ledger.release(conn, 1, now=DAY)
        quota = await ledger.quota(conn, 1, terms, now=DAY)
        assert (quota.left, quota.period, quota.renews_at.timestamp()) == (2, "1970-01-02", 2 * DAY)
        assert await raw(conn, "SELECT day, credits FROM spending ORDER BY day") == [
            ("1970-01-01", 0),
            ("1970-01-02", 1),
        ]


async def test_the_clock_goes_back(db: Database) -> None:
    """A clock that was a day ahead for a while gives nobody a second allowance for today."""
    terms = Terms(3)
    async with db.begin() as conn:
        await ledger.hold(conn, 1, 1, 2, terms, now=0.0)
        await ledger.hold(conn, 1, 2, 3, terms, now=DAY)
        assert (await ledger.quota(conn, 1, terms, now=0.0)).left == 1
        assert await ledger.hold(conn, 1, 3, 2, terms, now=0.0) is not None
        assert await ledger.hold(conn, 1, 3, 1, terms, now=0.0) is None
        assert await raw(conn, MONEY) == [(3, 0)]
        await ledger.release(conn, 2, now=0.0)
        assert await raw(conn, MONEY) == [(3, 0)]


async def test_the_spend_cap(db: Database) -> None:
    """All chats together stop at the operator's cap, unlimited ones too; what is released can be spent again."""
    terms = Terms(UNLIMITED, spend_cap=5)
    async with db.begin() as conn:
        assert await ledger.hold(conn, 1, 1, 3, terms) is None
        short = await ledger.hold(conn, 2, 2, 3, terms)
        assert short is not None
        assert short.reason == "spend_cap"
        assert await ledger.hold(conn, 2, 2, 2, terms) is None
        await ledger.release(conn, 1)
        assert await ledger.hold(conn, 3, 3, 3, terms) is None
        assert await ledger.hold(conn, 3, 4, 1, terms) is not None


async def test_unlimited_nothing_and_default_are_three_things(db: Database) -> None:
    """-1, 0 and None each mean something else, for a chat as for the operator."""
    async with db.begin() as conn:
        left = []
        for own in (UNLIMITED, 0, None, 7):
            await ledger.set_allowance(conn, 1, own)
            left.append([(await ledger.quota(conn, 1, Terms(default))).left for default in (UNLIMITED, 0, 3)])
        assert left == [[None, None, None], [0, 0, 0], [None, 0, 3], [7, 7, 7]]
        await ledger.set_allowance(conn, 1, 0)
        short = await ledger.hold(conn, 1, 1, 1, Terms(UNLIMITED))
        assert short is not None
        assert (short.reason, short.quota.left) == ("quota", 0)
        await ledger.set_allowance(conn, 1, UNLIMITED)
        assert await ledger.hold(conn, 1, 1, 1000, Terms(0)) is None


async def test_a_lowered_allowance_leaves_no_debt(db: Database) -> None:
    """Who used more than a new, smaller allowance has nothing left, and what was bought stays."""
    async with db.begin() as conn:
        await ledger.hold(conn, 1, 1, 5, Terms(5))
        await ledger.grant(conn, 1, 2, Terms(5), by=1, source="g")
        await ledger.set_allowance(conn, 1, 1)
        assert (await ledger.quota(conn, 1, Terms(5))).left == 2
        assert await ledger.hold(conn, 1, 2, 2, Terms(5)) is None
        assert await raw(conn, MONEY) == [(5, 0)]


async def test_a_grant_has_effect_once(db: Database) -> None:
    """The same message twice is one grant, also where taking it again would be impossible."""
    async with db.begin() as conn:
        for _ in range(2):
            quota = await ledger.grant(conn, 1, 5, Terms(0), by=9, source="m1", note="hello")
            assert quota.granted == 5
        for _ in range(2):
            quota = await ledger.grant(conn, 1, -5, Terms(0), by=9, source="m2")
            assert quota.granted == 0
        assert [(e.credits, e.by, e.note) for e in await ledger.entries(conn, 1, 9)] == [(-5, 9, None), (5, 9, "hello")]


async def test_nobody_is_taken_below_nothing(db: Database) -> None:
    """Taking more than is there is refused with a number, and writes nothing."""
    async with db.begin() as conn:
        await ledger.grant(conn, 1, 2, Terms(10), by=9, source="m1")
        with pytest.raises(ledger.LedgerError, match="2 credits"):
            await ledger.grant(conn, 1, -3, Terms(10), by=9, source="m2")
        assert await raw(conn, MONEY) == [(0, 2)]


async def test_the_tables_hold_even_if_the_code_does_not(db: Database) -> None:
    """A balance below nothing, a second hold and a second close are refused by the database itself."""
    async with db.begin() as conn:
        await ledger.hold(conn, 1, 1, 1, Terms(1))
        await ledger.settle(conn, 1)
    row = "INSERT INTO ledger (chat_id, kind, job_id, credits, allowance, granted, bought, period, day, at) "
    for sql in (
        "UPDATE balances SET used = -1",
        "UPDATE balances SET granted = -1",
        "UPDATE balances SET bought = -1",
        "UPDATE spending SET credits = -1",
        row + "VALUES (1, 'hold', 1, 1, 0, 0, 0, 'p', 'd', 0)",
        row + "VALUES (1, 'release', 1, 1, 0, 0, 0, 'p', 'd', 0)",
    ):
        with pytest.raises(db.Error, match=r"(?i)constraint"):
            await db.transact(lambda conn, sql=sql: raw(conn, sql))  # type: ignore[misc]  # mypy cannot type a lambda's default
